"""What the processes of a fleet share through Redis: live events, the throttle, who is there. All of it disposable."""

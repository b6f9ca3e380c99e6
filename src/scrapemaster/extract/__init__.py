"""From a page's body to items. Pure: no I/O."""

// A fault in one page leaves the others usable.
import { html } from "./ui.js";
import { Component } from "../vendor/preact.js";
import { Wrong } from "../parts/states.js";

export class Boundary extends Component {
  static getDerivedStateFromError(error) {
    return { error };
  }

  componentDidCatch(error) {
    console.error(error);
  }

  render({ children }, { error }) {
    return error ? html`<${Wrong} error=${new Error("This page has a fault of ours; the others work.")} onRetry=${() => this.setState({ error: null })} />` : children;
  }
}

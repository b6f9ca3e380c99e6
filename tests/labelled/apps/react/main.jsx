import { createRoot, hydrateRoot } from "react-dom/client";
import { boot } from "../boot.js";
import { App } from "./App.jsx";

const page = boot(), root = document.getElementById(page.root ?? "root");
if (page.hydrate) hydrateRoot(root, <App page={page} />);
else createRoot(root).render(<App page={page} />);

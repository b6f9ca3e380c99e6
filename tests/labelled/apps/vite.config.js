import { svelte } from "@sveltejs/vite-plugin-svelte";
import react from "@vitejs/plugin-react";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const app = process.env.APP, server = process.env.SERVER === "yes";
const ending = app === "react" ? "jsx" : "js";

export default defineConfig({
  plugins: [{ react, vue, svelte }[app]()],
  logLevel: "warn",
  ssr: { noExternal: true },
  build: server
    ? { ssr: `./${app}/server.${ending}`, outDir: `out/server/${app}`, rollupOptions: { output: { entryFileNames: "server.js" } } }
    : {
        outDir: `out/built/${app}`,
        modulePreload: false,
        rollupOptions: { input: `./${app}/main.${ending}`, output: { entryFileNames: "app.js", assetFileNames: "app[extname]" } },
      },
});

#!/bin/sh
# Builds the applications that labelled pages are made of, with their own tools, into ../built. Needs node 20.19 or newer, npm, and a package registry.
# Tests do not run this: what it makes is committed. WORK is a folder that keeps installed packages from one run to the next.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
cp -R "$here"/. "$work"
cd "$work"
npm install --no-audit --no-fund --no-package-lock
rm -rf out
for app in react vue svelte; do
  APP=$app npx vite build
  APP=$app SERVER=yes npx vite build
done
node prerender.js
cd "$work/angular"
npm install --no-audit --no-fund --no-package-lock --legacy-peer-deps
rm -rf out
npx ng build
mkdir -p "$work/out/built/angular"
cp out/browser/main.js "$work/out/built/angular/app.js"
cp out/3rdpartylicenses.txt "$work/out/built/angular/LICENSES.txt"
for app in react vue svelte; do
  cat "$work/node_modules/$app/LICENSE"* > "$work/out/built/$app/LICENSE.txt"
done
rm -rf "$here/../built"
cp -R "$work/out/built" "$here/../built"

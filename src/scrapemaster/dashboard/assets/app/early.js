// Before anything is painted: the chosen theme, so that nothing flashes.
(() => {
  const theme = localStorage.getItem("sm.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();

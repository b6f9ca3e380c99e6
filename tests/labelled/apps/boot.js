// What each page says of itself: which view, which data, how late they come.
export const boot = () => JSON.parse(document.getElementById("boot").textContent);

// The data of a view, as an application asks for them when it has started.
export async function load(page) {
  if (page.late) await new Promise((done) => setTimeout(done, page.late));
  return (await fetch(page.src)).json();
}

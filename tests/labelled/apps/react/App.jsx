import { useEffect, useState } from "react";
import { load } from "../boot.js";

const Card = ({ item }) => (
  <article className="card"><h2><a href={`/item/${item.n}`}>{item.name}</a></h2><span className="price">{item.price}</span></article>
);

const Item = ({ item }) => (
  <main className="item">
    <h1 className="title">{item.name}</h1><p className="price">{item.price}</p><p className="stock">{item.stock}</p>
    <p className="text">{item.text}</p><ul className="specs">{item.specs.map((one) => <li key={one}>{one}</li>)}</ul>
  </main>
);

const Skeleton = () => (
  <main className="item"><h1 className="title">Loading…</h1><p className="price">—</p><p className="stock">…</p></main>
);

export function App({ page }) {
  const [data, setData] = useState(page.data ?? null);
  useEffect(() => { if (page.src) load(page).then(setData); }, []);
  if (data === null) return page.skeleton ? <Skeleton /> : <p className="spinner">…</p>;
  if (page.view === "list") return <section className="cards">{data.map((item) => <Card key={item.n} item={item} />)}</section>;
  if (page.view === "price") return <><p className="price">{data.price}</p><p className="stock">{data.stock}</p></>;
  return <Item item={data} />;
}

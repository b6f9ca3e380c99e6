import { Component, provideZonelessChangeDetection, signal } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";

interface Thing { n: number; name: string; price: string; stock: string; text: string; specs: string[] }
interface Boot { view: string; src?: string; late?: number; skeleton?: boolean; data?: Thing & Thing[] }

const page: Boot = JSON.parse(document.getElementById("boot")!.textContent!);

@Component({
  selector: "app-root",
  template: `
    @if (data(); as thing) {
      @if (page.view === "list") {
        <section class="cards">
          @for (item of thing; track item.n) {
            <article class="card"><h2><a href="/item/{{ item.n }}">{{ item.name }}</a></h2><span class="price">{{ item.price }}</span></article>
          }
        </section>
      } @else {
        <main class="item">
          <h1 class="title">{{ thing.name }}</h1><p class="price">{{ thing.price }}</p><p class="stock">{{ thing.stock }}</p>
          <p class="text">{{ thing.text }}</p><ul class="specs">@for (one of thing.specs; track one) {<li>{{ one }}</li>}</ul>
        </main>
      }
    } @else if (page.skeleton) {
      <main class="item"><h1 class="title">Loading…</h1><p class="price">…</p><p class="stock">…</p></main>
    } @else {
      <p class="spinner">…</p>
    }
  `,
})
class App {
  page = page;
  data = signal<(Thing & Thing[]) | undefined>(page.data);

  constructor() {
    if (page.src) void this.load(page.src);
  }

  private async load(src: string): Promise<void> {
    if (page.late) await new Promise((done) => setTimeout(done, page.late));
    this.data.set(await (await fetch(src)).json());
  }
}

void bootstrapApplication(App, { providers: [provideZonelessChangeDetection()] });

// Crawlee for JavaScript: CheerioCrawler, 32 at once from the start, memory storage that is not written to the disk, no logs, no
// sessions, no retries, robots obeyed. Requests are added in one call a page, those that were added before left out. The order is that of order.py.

import { readFileSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// Crawlee is installed in an environment of its own, whose folder is the second argument.
const require = createRequire(`${process.argv[3]}/`);
const { CheerioCrawler, Configuration, LogLevel, log } = await import(pathToFileURL(require.resolve('crawlee')).href);

const order = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const began = performance.now();
const cpuBefore = process.cpuUsage();
log.setLevel(LogLevel.OFF);

const fields = Object.entries(order.fields);
const rows = [];
const known = new Set(order.urls);
let pages = 0;

const crawler = new CheerioCrawler(
    {
        minConcurrency: order.concurrency,
        maxConcurrency: order.concurrency,
        useSessionPool: false,
        persistCookiesPerSession: false,
        maxRequestRetries: 0,
        respectRobotsTxtFile: true,
        async requestHandler({ $, request, response, crawler: self }) {
            if (response.statusCode !== 200 || !(response.headers['content-type'] ?? '').startsWith('text/html')) return;
            const url = request.loadedUrl ?? request.url;
            pages += 1;
            const scopes = order.item ? $(order.item).toArray().map((one) => $(one)) : [$.root()];
            for (const scope of scopes) {
                const row = { url };
                for (const [name, selector] of fields) {
                    const found = scope.find(selector).first();
                    row[name] = found.length ? found.text() : null;
                }
                rows.push(row);
            }
            const fresh = [];
            for (const element of $('a').toArray()) {
                const href = element.attribs.href;
                if (href === undefined || !URL.canParse(href, url)) continue;
                const link = new URL(href, url);
                link.hash = '';
                if (!known.has(link.href) && link.href.startsWith(order.prefix)) {
                    known.add(link.href);
                    fresh.push(link.href);
                }
            }
            if (fresh.length) await self.addRequests(fresh, { waitForAllRequestsToBeAdded: true });
        },
    },
    new Configuration({ persistStorage: false, logLevel: LogLevel.OFF }),
);
await crawler.run(order.urls);

const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const first = fields[0][0];
writeFileSync(order.rows, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
const titles = rows.filter((row) => row[first]).length;
console.log(JSON.stringify({ pages, rows: rows.length, titles, seconds, cpu: (user + system) / 1e6 }));

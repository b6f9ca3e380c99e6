// What several pages say of jobs.
import { bare } from "../app/format.js";

/** What a job is called. */
export const jobName = (job) => job.name ?? bare(job.url);

/** What a reason code means, in words for people. */
export const REASONS = {
  http_404: "Not found (404)", http_403: "Forbidden (403)", http_401: "Sign-in wanted (401)", http_410: "Gone (410)", http_429: "Too many requests (429)",
  http_500: "Server error (500)", http_502: "Bad gateway (502)", http_503: "Unavailable (503)", timeout: "Took too long", dns_failure: "Name does not resolve",
  connection_error: "No connection", connect_error: "No connection", tls_error: "Certificate not valid", egress_denied: "Address not allowed", robots_denied: "Forbidden by robots.txt",
  blocked: "Blocked", challenge: "Challenge page", login_wall: "Sign-in page", empty_body: "Empty page", script_shell: "Filled by scripts only", duplicate: "Same page under another address",
  not_html: "Not a page", download: "A file to be saved", offsite_redirect: "Leads to another site", too_large: "Larger than allowed", extract_timeout: "Extraction took too long",
};

/** Why the auto engine took a page from where it took it, in words for people. */
export const CHOICES = {
  no_scripts: "nothing to run on the page", complete: "complete as it came", checked: "rendered to compare, nothing changed", learned: "pages like it do not change", no_browser: "no browser to render it",
  render_failed: "the browser did not bring it", script_shell: "a shell that scripts fill", placeholders: "placeholders instead of values", fields_empty: "fields were empty", challenge: "a challenge to pass",
  blocked: "turned away plainly", differed: "differs when rendered", section_rendered: "the pages before it needed it", ordered: "the order asks for it",
};

/** @param {string} reason */
export const reasonWord = (reason) => REASONS[reason] ?? reason.replace(/^http_(\d+)$/, "Answered $1").replaceAll("_", " ");

/** The order a job was, as `POST /jobs` takes it. */
export function orderOf(job) {
  const order = { ...(job.urls.length > 1 ? { urls: job.urls } : { url: job.url }), selectors: job.selectors };
  const config = { ...job.config };
  if (config.max_pages === (config.follow_links ? 100 : job.urls.length)) delete config.max_pages;
  if (Object.keys(config).length) order.config = config;
  if (job.engine !== "auto") order.engine = job.engine;
  if (job.priority !== "normal") order.priority = job.priority;
  if (job.name) order.name = job.name;
  if (job.tags.length) order.tags = job.tags;
  if (Object.keys(job.meta).length) order.meta = job.meta;
  if (job.webhook_url) Object.assign(order, { webhook_url: job.webhook_url, webhook_events: job.webhook_events });
  return order;
}

// The public REST API, and nothing else.
import { session, setSession } from "./session.js";

export const BASE = "/api/v1";

/** What the API said no with. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 when the service could not be reached
   * @param {{detail?: string, type?: string, errors?: {loc: (string | number)[], msg: string}[], request_id?: string}} body
   * @param {number} wait seconds after which to try again
   */
  constructor(status, body, wait = 0) {
    super(sentence(status, body));
    this.status = status;
    this.type = body.type ?? "";
    this.problems = body.errors ?? [];
    this.requestId = body.request_id ?? "";
    this.wait = wait;
  }
}

function sentence(status, body) {
  if (status === 0) return "The service cannot be reached. Is it running?";
  const first = body.errors?.[0];
  if (first) {
    const where = first.loc.filter((part) => part !== "body").join(".");
    return `${where ? `${where}: ` : ""}${first.msg.replace(/^Value error, /, "")}`;
  }
  return body.detail ?? `The service answered ${status}.`;
}

/**
 * @param {string} method
 * @param {string} path behind `/api/v1`
 * @param {{query?: Record<string, unknown>, body?: unknown, signal?: AbortSignal, open?: boolean, headers?: Record<string, string>}} [options]
 */
export async function request(method, path, { query, body, signal, open, headers } = {}) {
  const token = session.get()?.token;
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method,
      signal,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token && !open ? { Authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, {});
  }
  if (!answer.ok) {
    if (answer.status === 401 && !open) setSession(null);
    throw new ApiError(answer.status, await parsed(answer), Number(answer.headers.get("Retry-After") ?? 0));
  }
  return answer;
}

async function parsed(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

/** The address of a path with a query; what is empty is left out. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

export const get = async (path, query, signal) => (await request("GET", path, { query, signal })).json();

/** A page of a list, with how many there are in all. */
export async function list(path, query, signal) {
  const answer = await request("GET", path, { query, signal });
  return { rows: await answer.json(), total: Number(answer.headers.get("X-Total-Count") ?? 0) };
}

async function sent(method, path, body, options) {
  const answer = await request(method, path, { body, ...options });
  return answer.status === 204 ? null : answer.json();
}

export const post = (path, body, options) => sent("POST", path, body, options);
export const patch = (path, body) => sent("PATCH", path, body);
export const remove = (path) => sent("DELETE", path);

/** Save what a path answers with as a file. The browser keeps large ones on the disk. */
export async function download(path, query) {
  const answer = await request("GET", path, { query });
  const named = /filename\*?=(?:UTF-8'')?"?([^";]+)/i.exec(answer.headers.get("Content-Disposition") ?? "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = named ? decodeURIComponent(named[1]) : "export";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

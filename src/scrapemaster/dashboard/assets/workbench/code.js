// An order as other programs would send it.

/** @param {object} order */
export const asJson = (order) => JSON.stringify(order, null, 2);

/** @param {object} order */
export function asCurl(order, path = "/jobs") {
  return `curl -s ${location.origin}/api/v1${path} \\
  -H "Authorization: Bearer $SCRAPEMASTER_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '${asJson(order).replaceAll("'", "'\\''")}'`;
}

/** @param {object} order */
export function asPython(order, path = "/jobs") {
  const job = `import os
import requests

api = "${location.origin}/api/v1"
headers = {"Authorization": "Bearer " + os.environ["SCRAPEMASTER_KEY"]}
order = ${literal(order, 0)}

made = requests.post(api + "${path}", json=order, headers=headers)
made.raise_for_status()
`;
  return path === "/jobs" ? `${job}job = requests.get(f"{api}/jobs/{made.json()['id']}", params={"wait": 60}, headers=headers).json()
print(job["status"], job["items_scraped"])
rows = requests.get(f"{api}/results/{job['id']}", headers=headers).json()["results"]
` : `${job}print(made.json()["next_run_at"])
`;
}

/** A value as Python writes it. */
function literal(value, depth) {
  const space = "    ".repeat(depth + 1);
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) {
    const parts = value.map((one) => literal(one, depth + 1));
    const flat = `[${parts.join(", ")}]`;
    return flat.length < 80 && !flat.includes("\n") ? flat : `[\n${parts.map((one) => `${space}${one},\n`).join("")}${"    ".repeat(depth)}]`;
  }
  if (typeof value === "object") {
    const parts = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, depth + 1)}`);
    return parts.length ? `{\n${parts.map((one) => `${space}${one},\n`).join("")}${"    ".repeat(depth)}}` : "{}";
  }
  return JSON.stringify(value);
}

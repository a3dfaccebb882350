// Addresses that links in an agent's answer mean; the same as webapp/agents/linking.py.

export const LINK = /^\[([^[\]\n]{1,200})\]\((file|message|review):([^\s()]{1,2000})\)$/;

/** Return the address within this site, "" when the link means none. */
export function addressOf(kind, value, workspaceId) {
  const base = `/w/${Number(workspaceId)}`;
  if (kind !== "file") return /^\d{1,18}$/.test(value) ? `${base}/${kind === "message" ? "m" : "reviews"}/${value}/` : "";
  const line = /#L(\d{1,7})$/.exec(value);
  let path = line ? value.slice(0, line.index) : value;
  try {
    path = decodeURIComponent(path);
  } catch {
    // A path with a lone percent sign is meant as it stands.
  }
  return `${base}/files/?path=${encodeURIComponent(path)}${line ? `&line=${line[1]}` : ""}`;
}

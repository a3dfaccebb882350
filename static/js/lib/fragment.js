/**
 * Return what the server answers at `url` as text, or null without a good answer: what stands on the page stays, and the next
 * news asks again. A page that is left cuts off the body too, which Firefox alone reports as an error.
 */
export async function fragment(url, headers = { "HX-Request": "true" }) {
  try {
    const reply = await fetch(url, { headers });
    return reply.ok ? await reply.text() : null;
  } catch {
    return null;
  }
}

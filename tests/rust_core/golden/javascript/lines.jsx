#!/usr/bin/env node
// One.

/* Two,

   with a blank line in it. */
const a = 1; // three
const b = `
four
`; /* five */

//> Page function 8 3 2 0 1 1
function Page({ items }) {
  return (
    <ul>
      {items.length > 0 && <b>{/* six */ items}</b>}
      {items ? items.map(show) : null}
    </ul>
  );
}
// loc 21, sloc 12, comments 10, blank 2, multi 3, single_comments 4

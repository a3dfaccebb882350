// What the keys of a tree mean, as screen readers and people know them from other trees.

/**
 * Return what a key does at row `at`: `{to}` goes to a row's number, `{isPressed}` opens or closes what the row holds,
 * `{isCollapsed}` hides or shows its children, `{}` nothing, null when the tree has no use for the key.
 * `row` says where it is: `at` of `count`, `above` the number of its parent's row, -1 for none; and what it is:
 * `isFold`, `isParent`, `isCollapsed`, `isOpened`.
 */
export function meaningOf(key, row) {
  switch (key) {
    case "ArrowDown": return { to: Math.min(row.count - 1, row.at + 1) };
    case "ArrowUp": return { to: Math.max(0, row.at - 1) };
    case "Home": return { to: 0 };
    case "End": return { to: row.count - 1 };
    case "Enter": case " ": return { isPressed: true };
    case "ArrowRight": return inwards(row);
    case "ArrowLeft": return outwards(row);
    default: return null;
  }
}

function inwards(row) {
  if (row.isFold) return { isPressed: true };
  if (row.isParent) return row.isCollapsed ? { isCollapsed: false } : { to: row.at + 1 };
  return row.isOpened ? {} : { isPressed: true };
}

function outwards(row) {
  if (row.isOpened) return { isPressed: true };
  if (row.isParent && !row.isCollapsed) return { isCollapsed: true };
  return row.above < 0 ? {} : { to: row.above };
}

//> View function 5 2 2 0 1 1
//> View.<anonymous> closure 1 2 1 0 1 1
export const View = <T,>({ rows }: { rows: T[] }) => (
  <table>
    {rows && rows.map((row) => <Row key={String(row)} on={row || undefined} />)}
  </table>
);

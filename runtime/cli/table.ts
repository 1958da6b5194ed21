/** Tables for people: plain borders. */
import Table from "cli-table3"

/** Rows under a head; numbers should come formatted. */
export const textTable = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } })
  for (const row of rows) table.push([...row])
  return table.toString()
}

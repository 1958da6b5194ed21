/** The values of an aggregate: tables where they are flat, JSON where they aren't. */
import { clip, html } from "./markup.ts"
import type { Html } from "./markup.ts"
import type { RunReport } from "./run-report.ts"
import { facts, table } from "./tables.ts"
import type { Column } from "./tables.ts"
import { none, plain } from "./text.ts"

/** What the aggregates came to. */
export const valuesOf = ({ summaries }: RunReport): Html =>
  html`${summaries.map(
    ({ step, values }) =>
      html`<section class="values">
        <h2>${step} <span class="soft">aggregate</span></h2>
        ${renderValues(values)}
      </section>`
  )}`

type Scalar = string | number | bigint | boolean | null
type Flat = Readonly<Record<string, Scalar>>

// What fits a page: beyond it the page says how many there are.
const rowsMax = 100

// Single values first, then each map or list of rows under its name.
const renderValues = (values: unknown): Html => {
  if (!isObject(values)) return isTable(values) ? rowsOf(values) : json(values)
  const entries = Object.entries(values)
  const single = entries.filter(isSingle)
  const rest = entries.filter((entry) => !isSingle(entry))
  return html`<div class="blocks-of">
    ${single.length === 0 ? null : html`<div>${capped(single, (shown) => facts(shown.map(([name, value]) => [name, show(value)])))}</div>`}${rest.map(
      ([name, value]) =>
        html`<div>
          <h4>${name}</h4>
          ${valueOf(value)}
        </div>`
    )}${entries.length === 0 ? json(values) : null}
  </div>`
}

const valueOf = (value: unknown): Html => {
  if (isTable(value)) return rowsOf(value)
  if (isFlat(value)) return pairsOf(value)
  if (isObject(value)) {
    const entries = Object.entries(value).filter(isFlatEntry)
    if (entries.length > 0 && entries.length === Object.keys(value).length) return matrixOf(entries)
  }
  return json(value)
}

// { spam: 12, list: 33 }
const pairsOf = (values: Flat): Html =>
  capped(Object.entries(values), (entries) =>
    table<readonly [string, Scalar]>(
      [
        { title: "Name", cell: ([name]) => name },
        { title: "Value", cell: ([, value]) => show(value), isNumber: entries.every(([, value]) => isNumeric(value)) }
      ],
      entries,
      true
    )
  )

// [{ topic: "spam", items: 12 }, …]
const rowsOf = (rows: ReadonlyArray<Flat>): Html => capped(rows, (shown) => tableOf(columnsOf(shown), shown))

// { spam: { precision: 0.9, recall: 0.8 }, … }
const matrixOf = (entries: ReadonlyArray<readonly [string, Flat]>): Html =>
  capped(entries, (shown) => {
    const columns = columnsOf(shown.map(([, row]) => row))
    return tableOf<readonly [string, Flat]>(
      [
        { title: "Name", cell: ([name]) => html`<b>${name}</b>` },
        ...columns.map((column) => ({ ...column, cell: ([, row]: readonly [string, Flat]) => column.cell(row) }))
      ],
      shown
    )
  })

// Up to four columns of short values fit on a phone as they are.
const tableOf = <Row>(columns: ReadonlyArray<Column<Row>>, rows: ReadonlyArray<Row>): Html => table(columns, rows, columns.length <= 4)

const columnsOf = (rows: ReadonlyArray<Flat>) =>
  [...new Set(rows.flatMap((row) => Object.keys(row)))].map((title) => ({
    title,
    cell: (row: Flat): string => show(row[title] ?? null),
    isNumber: rows.every((row) => isNumeric(row[title] ?? null))
  }))

const capped = <Row>(rows: ReadonlyArray<Row>, render: (rows: ReadonlyArray<Row>) => Html): Html =>
  html`${render(rows.slice(0, rowsMax))}${rows.length > rowsMax ? html`<p class="soft">The first ${rowsMax} of ${plain(rows.length)}.</p>` : null}`

const json = (value: unknown): Html =>
  html`<pre>${clip(JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part), 2) ?? none, 20_000)}</pre>`

const show = (value: Scalar): string => {
  if (value === null) return none
  return typeof value === "number" ? plain(value) : clip(String(value), 300)
}

const isNumeric = (value: Scalar): boolean => value === null || typeof value === "number" || typeof value === "bigint"
const isScalar = (value: unknown): value is Scalar => value === null || ["string", "number", "bigint", "boolean"].includes(typeof value)
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
const isFlat = (value: unknown): value is Flat => isObject(value) && Object.keys(value).length > 0 && Object.values(value).every(isScalar)
const isTable = (value: unknown): value is ReadonlyArray<Flat> => Array.isArray(value) && value.length > 0 && value.every(isFlat)
const isSingle = (entry: [string, unknown]): entry is [string, Scalar] => isScalar(entry[1])
const isFlatEntry = (entry: [string, unknown]): entry is [string, Flat] => isFlat(entry[1])

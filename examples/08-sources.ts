/**
 * Sources: CSV, Parquet, any DuckDB query, a folder of files, an Effect Stream. What follows them is the same.
 * A row that doesn't fit its schema is rejected with file and line and counted, and the others go on: one of these books has no blurb.
 * Run it: npx runtime run examples/08-sources.ts
 */
import { Schema, Stream } from "effect"
import {
  aggregate,
  count,
  countBy,
  csv,
  files,
  infer,
  job,
  local,
  parquet,
  partition,
  report,
  sql,
  stream,
  system,
  usd,
  user,
  type Source
} from "nightshift"

const Book = Schema.Struct({ title: Schema.NonEmptyString, blurb: Schema.NonEmptyString })
type Book = typeof Book.Type

const genres = local("genres", ({ data }) => {
  const text = String(data)
  return { genre: /mystery|murder/i.test(text) ? "crime" : /recipes|guide/i.test(text) ? "practical" : "novel" }
})

const sortBooks = (name: string, books: Source<Book>) => {
  const sorted = infer(partition(books), {
    model: genres,
    prompt: ({ title, blurb }) => [system`Name the genre of this book.`, user`${title}: ${blurb}`],
    output: Schema.Struct({ genre: Schema.Literals(["crime", "practical", "novel"]) })
  })
  const totals = aggregate(sorted, { books: count, byGenre: countBy(({ output }) => output.genre) })
  const summary = report(totals, ({ books, byGenre }) => `${books} books, ${byGenre.crime} of them crime.`)
  return job(name, {
    owner: "library",
    purpose: "Shelve new books",
    classification: "public",
    budget: usd(1),
    steps: { books, sorted, totals, summary }
  })
}

// Cells are text, and an empty one is null. Columns that the schema doesn't name are left out. "books/*.csv" would read many files.
export default sortBooks("books-of-csv", csv("examples/data/08-sources/books.csv", { schema: Book, key: (book) => book.title }))

// npx runtime run examples/08-sources.ts#ofParquet
export const ofParquet = sortBooks(
  "books-of-parquet",
  parquet("examples/data/08-sources/*.parquet", { schema: Book, key: (book) => book.title })
)

// npx runtime run examples/08-sources.ts#ofSql
export const ofSql = sortBooks(
  "books-of-sql",
  sql("select title, blurb from 'examples/data/08-sources/books.parquet' where blurb is not null and pages > 200 order by id", {
    schema: Book,
    key: (book) => book.title
  })
)

// npx runtime run examples/08-sources.ts#ofFiles
export const ofFiles = sortBooks(
  "books-of-files",
  files("examples/data/08-sources/blurbs/*.txt", {
    schema: Book,
    parse: (file) => ({ title: file.path.replace(".txt", "").replaceAll("-", " "), blurb: file.text().trim() })
  })
)

// npx runtime run examples/08-sources.ts#ofStream
export const ofStream = sortBooks(
  "books-of-stream",
  stream(() => Stream.map(Stream.range(1, 12), (month) => ({ title: `Almanac ${month}`, blurb: `A guide to month ${month}.` })), {
    schema: Book,
    key: (book) => book.title
  })
)

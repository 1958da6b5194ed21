/** Builds a manifest: rows in the order of the input go to a staging file, then, partition by partition, to their places. */
import * as DuckDb from "@duckdb/node-api"
import { sql } from "kysely"

import { RowBuffer, target } from "./append.ts"
import type { Duck } from "./duck.ts"
import { KeyIndex } from "./key-index.ts"
import { lightestFirst } from "./lightest-first.ts"
import type { Layout, ManifestSummary, StagedGroup, StagedItem, StagedRejection } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { itemIdOf } from "./state-folder.ts"

const { BIGINT, DOUBLE, INTEGER, UINTEGER, VARCHAR } = DuckDb

const raw = target("staging", "raw", BIGINT, VARCHAR, VARCHAR, UINTEGER, VARCHAR, VARCHAR, BIGINT, DOUBLE, VARCHAR, VARCHAR, BIGINT)
const rejected = target("staging", "rejected", BIGINT, VARCHAR, VARCHAR, VARCHAR, VARCHAR, VARCHAR, VARCHAR, BIGINT, BIGINT)
const layoutTarget = target("staging", "layout", VARCHAR, INTEGER, INTEGER)
const assigned = target("staging", "assigned", BIGINT, INTEGER)

/** Rows a staging transaction; the file is thrown away, so durability is not its point. */
const commitRows = 100_000
/** Items put in place in one sort: bounds its memory. */
const placeItems = 200_000

export class ManifestStage {
  readonly #duck: Duck<LedgerTables>
  readonly #hashKey: (key: string) => Buffer
  #keys = new KeyIndex()
  #ordinal = 0
  #rejections = 0
  #uncommitted = 0

  constructor(duck: Duck<LedgerTables>, hashKey: (key: string) => Buffer) {
    this.#duck = duck
    this.#hashKey = hashKey
  }

  async open(path: string): Promise<void> {
    const { writer } = this.#duck
    await writer.run(`attach '${path.replaceAll("'", "''")}' as staging`)
    await writer.run(`create table staging.raw (ordinal bigint, item_key varchar, item_id varchar, hash uinteger, body varchar, reference varchar, bytes bigint,
      weight double, label varchar, file varchar, line bigint)`)
    await writer.run(`create table staging.rejected (rejection bigint, code varchar, item_key varchar, item_id varchar, reason varchar, excerpt varchar, file varchar,
      line bigint, first_ordinal bigint)`)
    await writer.run("create table staging.layout (label varchar, first_partition integer, partitions integer)")
    await writer.run("create table staging.assigned (ordinal bigint, partition_no integer)")
    await writer.run("begin")
  }

  async add(items: ReadonlyArray<StagedItem>, rejections: ReadonlyArray<StagedRejection>): Promise<void> {
    const rows = new RowBuffer(raw)
    const refused = new RowBuffer(rejected)
    for (const item of items) {
      const hash = this.#hashKey(item.key)
      const first = this.#keys.add(hash, this.#ordinal)
      const line = item.line === null ? null : BigInt(item.line)
      if (first === null) {
        rows.push(
          BigInt(this.#ordinal++),
          item.key,
          itemIdOf(hash),
          hash.readUInt32LE(12),
          item.body,
          item.reference,
          BigInt(item.bytes),
          item.weight,
          item.label,
          item.file,
          line
        )
      } else {
        const excerpt = (item.body ?? "").slice(0, 200)
        refused.push(BigInt(this.#rejections++), "duplicate", item.key, itemIdOf(hash), "", excerpt, item.file, line, BigInt(first))
      }
    }
    for (const { code, key, reason, excerpt, file, line } of rejections) {
      const id = key === null ? null : itemIdOf(this.#hashKey(key))
      refused.push(BigInt(this.#rejections++), code, key, id, reason, excerpt, file, line === null ? null : BigInt(line), null)
    }
    await rows.appendTo(this.#duck.writer)
    await refused.appendTo(this.#duck.writer)
    this.#uncommitted += rows.rows + refused.rows
    if (this.#uncommitted >= commitRows) await this.#commit("begin")
  }

  async #commit(...then: ReadonlyArray<string>): Promise<void> {
    await this.#duck.writer.run("commit")
    for (const statement of then) await this.#duck.writer.run(statement)
    this.#uncommitted = 0
  }

  /** Puts every row in its place. The caller marks the manifest sealed, in its own transaction, afterwards. */
  async place(layoutOf: (groups: ReadonlyArray<StagedGroup>) => Layout): Promise<ManifestSummary> {
    await this.#commit()
    this.#keys = new KeyIndex()
    const groups = await this.#duck.db
      .selectFrom("staging.raw")
      .select(({ fn }) => ["label", fn.countAll<number>().as("items"), fn.sum<number>("weight").as("weight")])
      .groupBy("label")
      .orderBy("label")
      .execute()
    const layout = layoutOf(groups)
    const partitions = await this.#writeLayout(layout)
    await this.#placeItems(layout, partitions, this.#ordinal)
    await this.#placeRejections()
    const filled = await this.#summarise(layout)
    await this.#duck.writer.run("detach staging")
    return { items: this.#ordinal, rejected: this.#rejections, partitions: filled }
  }

  async #writeLayout({ spread, groups }: Layout): Promise<number> {
    const rows = new RowBuffer(layoutTarget)
    let first = 0
    for (const { label, partitions } of groups) {
      rows.push(label, first, partitions)
      first += partitions
    }
    await rows.appendTo(this.#duck.writer)
    if (spread === "weight") await this.#assignByWeight(first)
    return first
  }

  /** Longest processing time first. What is assigned is written as it grows: ten million rows of it would fill the memory. */
  async #assignByWeight(partitions: number): Promise<void> {
    const { writer, db } = this.#duck
    const next = lightestFirst(partitions)
    const heaviestFirst = db.selectFrom("staging.raw").select(["ordinal", "weight"]).orderBy("weight", "desc").orderBy("ordinal")
    let rows = new RowBuffer(assigned)
    for await (const { ordinal, weight } of heaviestFirst.stream()) {
      rows.push(BigInt(ordinal), next(weight))
      if (rows.rows < commitRows) continue
      await rows.appendTo(writer)
      rows = new RowBuffer(assigned)
    }
    await rows.appendTo(writer)
  }

  /** A few partitions at a time, so that sorting ten million bodies never needs the memory of ten million. */
  async #placeItems({ spread }: Layout, partitions: number, items: number): Promise<void> {
    const step = Math.max(1, Math.floor((placeItems * partitions) / Math.max(items, 1)))
    const from =
      spread === "weight" ? sql`staging.raw join staging.assigned using (ordinal)` : sql`staging.raw join staging.layout using (label)`
    const partition =
      spread === "weight" ? sql`assigned.partition_no` : sql`(layout.first_partition + raw.hash % layout.partitions)::integer`
    let placed = 0
    for (let low = 0; low < partitions; low += step) {
      const chosen = sql`select raw.*, ${partition} as place from ${from} where ${partition} between ${low} and ${low + step - 1} order by place, ordinal`
      const seq = sql`row_number() over () - 1 + ${placed}`
      await sql`insert into payload.items select ${seq}, item_key, body, reference, file, line from (${chosen})`.execute(this.#duck.db)
      const { numAffectedRows } =
        await sql`insert into state.manifest select ${seq}, item_id, place, bytes, weight from (${chosen})`.execute(this.#duck.db)
      placed += Number(numAffectedRows ?? 0)
    }
  }

  async #placeRejections(): Promise<void> {
    const { db } = this.#duck
    await sql`insert into state.rejections select rejection, code, item_id from staging.rejected order by rejection`.execute(db)
    const twin = sql`'the key is the same as that of ' || first.file || coalesce(':' || first.line, '') || ', which is kept'`
    await sql`insert into payload.rejected_rows
      select rejection, rejected.file, rejected.line, rejected.item_key, case when first_ordinal is null then reason else ${twin} end, excerpt
      from staging.rejected left join staging.raw first on first.ordinal = first_ordinal order by rejection`.execute(db)
  }

  /** Returns how many partitions have items. */
  async #summarise({ labelsArePublic }: Layout): Promise<number> {
    const { db } = this.#duck
    const label = sql`(select label from staging.layout l where place.partition_no between l.first_partition and l.first_partition + l.partitions - 1)`
    const { numAffectedRows } = await sql`insert into state.partitions
      select partition_no, ${labelsArePublic ? sql`nullif(${label}, '')` : sql`null`}, min(seq), max(seq), count(*), sum(weight), sum(bytes), 'waiting', 0, null, null, null
      from state.manifest place group by partition_no order by partition_no`.execute(db)
    await sql`insert into payload.labels select partition_no, ${label} as label from state.partitions place where coalesce(${label}, '') <> '' order by all`.execute(
      db
    )
    return Number(numAffectedRows ?? 0)
  }
}

/** Incidents: opened by runs, acknowledged and closed by people. */
import * as path from "node:path"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Kysely, Selectable } from "kysely"

import { canonicalJson } from "../../dsl/index.ts"
import type { Severity } from "./alert-record.ts"
import { withControl, type ControlTables } from "./control.ts"
import { identifier, quoted, type Duck } from "./duck.ts"
import { copyTo, makeFolder, ownPartOf, putIfAbsent } from "./durable-file.ts"
import { publishedIncidents } from "./incident-table.ts"
import { minuteOf } from "./minute.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

export interface NewIncident {
  readonly run: string
  readonly job: string
  readonly kind: string
  readonly severity: Severity
  readonly text: string
  readonly detail: unknown
  readonly openedAt: Date
}

export interface Incident extends Omit<NewIncident, "detail"> {
  readonly incident: string
  readonly detail: unknown
  readonly ackedBy: string | null
  readonly ackedAt: Date | null
  readonly closedBy: string | null
  readonly closedAt: Date | null
}

export class IncidentNotFound extends Schema.TaggedError<IncidentNotFound>()("IncidentNotFound", {
  incident: Schema.String,
  state: Schema.String
}) {
  override get message(): string {
    return `There is no incident "${this.incident}" in ${this.state}. List them with \`runtime incidents list\`, or name another folder with --state DIR.`
  }
}

/** It is acknowledged already, or closed. */
export class IncidentNotOpen extends Schema.TaggedError<IncidentNotOpen>()("IncidentNotOpen", {
  incident: Schema.String,
  run: Schema.String,
  outcome: Schema.String
}) {
  override get message(): string {
    return `Incident ${this.incident} of run ${this.run} was ${this.outcome}. Nothing was changed; \`runtime incidents list --run ${this.run}\` shows it.`
  }
}

/** One incident a run and kind, whoever asks how often. Returns its name. */
export const openIncident = (folder: StateFolder, incident: NewIncident): Effect.Effect<string, StoreError> =>
  withControl(folder, "openIncident", (duck) =>
    Effect.tap(
      duck.use("opening an incident", (db) => db.transaction().execute((transaction) => findOrOpen(transaction, incident))),
      () => publishNew(duck, folder)
    )
  )

const findOrOpen = async (db: Kysely<ControlTables>, { openedAt, detail, ...of }: NewIncident): Promise<string> => {
  const key = `${of.run} ${of.kind}`
  const known = await db.selectFrom("control.incidents").select("incident").where("dedupe_key", "=", key).executeTakeFirst()
  if (known !== undefined) return known.incident
  const { count } = await db
    .selectFrom("control.incidents")
    .select(({ fn }) => fn.countAll().as("count"))
    .executeTakeFirstOrThrow()
  const incident = `inc-${Number(count) + 1}`
  const row = { ...of, incident, dedupe_key: key, detail: canonicalJson(detail), opened_at: openedAt, version: 1, published: 0 }
  await db
    .insertInto("control.incidents")
    .values({ ...row, acked_by: null, acked_at: null, closed_by: null, closed_at: null })
    .execute()
  return incident
}

export interface IncidentFilter {
  readonly run: string | null
  readonly job: string | null
  /** Only those that nobody closed. */
  readonly isOpen: boolean
}

/** Newest first. */
export const listIncidents = (
  folder: StateFolder,
  { run, job, isOpen }: IncidentFilter
): Effect.Effect<ReadonlyArray<Incident>, StoreError> =>
  withControl(folder, "listIncidents", (duck) =>
    duck.use("listing incidents", async (db) => {
      let query = db.selectFrom("control.incidents").selectAll()
      if (run !== null) query = query.where("run", "=", run)
      if (job !== null) query = query.where("job", "=", job)
      if (isOpen) query = query.where("closed_at", "is", null)
      const rows = await query.orderBy("opened_at", "desc").orderBy("dedupe_key").execute()
      return rows.map(incidentOf)
    })
  )

const incidentOf = (row: Selectable<ControlTables["control.incidents"]>): Incident => ({
  incident: row.incident,
  run: row.run,
  job: row.job,
  kind: row.kind,
  severity: row.severity,
  text: row.text,
  detail: JSON.parse(row.detail) as unknown,
  openedAt: row.opened_at,
  ackedBy: row.acked_by,
  ackedAt: row.acked_at,
  closedBy: row.closed_by,
  closedAt: row.closed_at
})

/** Somebody looks at it: whoever comes next sees who. */
export const ackIncident = (folder: StateFolder, incident: string, by: string) => change(folder, incident, by, "acknowledged")

/** Whether it was acknowledged or not. */
export const closeIncident = (folder: StateFolder, incident: string, by: string) => change(folder, incident, by, "closed")

const change = Effect.fn("Store.changeIncident")(function* (
  folder: StateFolder,
  incident: string,
  by: string,
  change: "acknowledged" | "closed"
): Effect.fn.Return<Incident, StoreError | IncidentNotFound | IncidentNotOpen> {
  const at = new Date(yield* Clock.currentTimeMillis)
  const write = async (db: Kysely<ControlTables>) => {
    const find = () => db.selectFrom("control.incidents").selectAll().where("incident", "=", incident).executeTakeFirst()
    const before = await find()
    if (before === undefined || before.closed_at !== null || (change === "acknowledged" && before.acked_at !== null))
      return { before, after: undefined }
    const set = change === "closed" ? { closed_by: by, closed_at: at } : { acked_by: by, acked_at: at }
    await db
      .updateTable("control.incidents")
      .set({ ...set, version: before.version + 1 })
      .where("incident", "=", incident)
      .execute()
    return { before, after: await find() }
  }
  const { before, after } = yield* withControl(folder, "changeIncident", (duck) =>
    Effect.tap(
      duck.use(`changing incident ${incident}`, (db) => db.transaction().execute(write)),
      () => publishNew(duck, folder)
    )
  )
  if (after !== undefined) return incidentOf(after)
  if (before === undefined) return yield* new IncidentNotFound({ incident, state: folder.root })
  const { run, closed_at, closed_by, acked_at, acked_by } = before
  const outcome =
    closed_at === null ? `acknowledged by ${acked_by} at ${minuteOf(acked_at)}` : `closed by ${closed_by} at ${minuteOf(closed_at)}`
  return yield* new IncidentNotOpen({ incident, run, outcome })
})

/** Shows analysts what they haven't seen. What fails here is shown by the next change: the incident itself is durable. */
const publishNew = (duck: Duck<ControlTables>, folder: StateFolder): Effect.Effect<void> =>
  Effect.gen(function* () {
    const rows = yield* duck.use("publishing incidents", (db) =>
      db.selectFrom("control.incidents").select(["incident", "run", "version"]).whereRef("version", ">", "published").execute()
    )
    for (const { incident, run, version } of rows) {
      const columns = publishedIncidents.columns.map(([name]) => identifier(name)).join(", ")
      const query = `select run, job, ${columns} from control.incidents where incident = ${quoted(incident)}`
      const file = path.join(folder.analytics, publishedIncidents.name, `run=${run}`, `${incident}-${version}.parquet`)
      const part = ownPartOf(file)
      yield* makeFolder(path.dirname(file))
      yield* copyTo(duck.db, part, query)
      yield* putIfAbsent(part, file, 0o644)
      yield* duck.use("publishing incidents", (db) =>
        db.updateTable("control.incidents").set({ published: version }).where("incident", "=", incident).execute()
      )
    }
  }).pipe(Effect.catch((error) => Effect.logWarning(`Analysts don't see the newest incidents: ${error.message}`)))

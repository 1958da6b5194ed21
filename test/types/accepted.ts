/** What authors write and the compiler must accept, with the types that it must infer. Read by the compiler alone. */
import { Context, Effect, Layer, Schema, Stream } from "effect"
import {
  aggregate, anthropic, count, countBy, cron, csv, deadLetter, each, files, flag, given, infer, job, join, jsonl, local, mean, openai,
  openaiCompatible, parquet, partition, report, retry, review, sql, stream, sum, system,
  toCsv, toJsonl, toParquet, usd, user, validate, when, type ExportContext
} from "nightshift"
import type { Answer, Answers, Columns, Json, Needs, Partitions, Report, RunContext, Source, Summary } from "nightshift"
import mailTriage from "./mail-triage.ts"
import { bayes, haiku } from "./models.ts"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Same<A, B>): void => {}
type OutputOf<S> = S extends Answers<any, infer Output, any> ? Output : never
type ItemOf<S> = S extends Source<infer Item, any> ? Item : never

const Mail = Schema.Struct({
  id: Schema.NonEmptyString, kind: Schema.Literals(["letter", "form"]), subject: Schema.String, body: Schema.String, urgent: Schema.Boolean,
  cc: Schema.optionalKey(Schema.String), files: Schema.Array(Schema.Struct({ name: Schema.String, bytes: Schema.Finite }))
})
type Mail = typeof Mail.Type
const Triage = Schema.Struct({ topic: Schema.Literals(["spam", "list", "personal"]), confidence: Schema.Finite })
const Mood = Schema.Struct({
  mood: Schema.Literals(["calm", "angry"]), why: Schema.optionalKey(Schema.String), tags: Schema.Array(Schema.String),
  place: Schema.Struct({ city: Schema.String, geo: Schema.Struct({ lat: Schema.Finite }) })
})
const Reply = Schema.Struct({ text: Schema.NonEmptyString })
const Params = Schema.Struct({ region: Schema.Literals(["eu", "us"]), days: Schema.Finite })
type Run = RunContext<typeof Params.Type>

class Directory extends Context.Service<Directory, { readonly has: (name: string) => Effect.Effect<boolean, Error> }>()("accepted/Directory") {
  static readonly layer = Layer.succeed(this, this.of({ has: () => Effect.succeed(true) }))
}
class Glossary extends Context.Service<Glossary, { readonly terms: string }>()("accepted/Glossary") {
  static readonly layer = Layer.succeed(this, this.of({ terms: "" }))
}
class Mailbox extends Context.Service<Mailbox, { readonly mails: Stream.Stream<Mail> }>()("accepted/Mailbox") {
  static readonly layer = Layer.succeed(this, this.of({ mails: Stream.empty }))
}
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

// ---- an evaluation's callback knows the answer and what the labelled rows expect; they may be values or a source
const labelledMails = jsonl("labelled.jsonl", { schema: Schema.Struct({ item: Mail, expected: Schema.Literals(["spam", "list"]) }), key: (row) => row.item.id })
infer(partition(jsonl("inbox/*.jsonl", { schema: Mail, key: (mail) => mail.id })), {
  model: bayes, output: Triage, prompt: (mail) => [user`${mail.subject}`],
  evaluation: {
    labelled: labelledMails, scoreMin: 0.9,
    score: (output, expected) => {
      same<typeof output.topic, "spam" | "list" | "personal">(true)
      same<typeof expected, "spam" | "list">(true)
      return output.topic === expected ? 1 : 0
    }
  }
})
infer(partition(jsonl("inbox/*.jsonl", { schema: Mail, key: (mail) => mail.id })), {
  model: bayes, output: Triage, prompt: (mail) => [user`${mail.subject}`],
  evaluation: {
    labelled: [{ item: { id: "1", kind: "form", subject: "", body: "", urgent: false, files: [] }, expected: { tag: 7 } }], scoreMin: 1,
    score: ({ confidence }, { tag }) => confidence * tag
  }
})

// ---- the example of the README
const { trusted: mailsTrusted, mix: mailsMix } = mailTriage.steps
same<OutputOf<typeof mailsTrusted>["topic"], "spam" | "list" | "personal">(true)
report(mailsMix, (values) => {
  same<typeof values, { readonly total: number; readonly byTopic: Readonly<Record<"spam" | "list" | "personal", number>> }>(true)
  return ""
})

// ---- sources: values, and functions of the run
const options = { schema: Mail, key: (mail: Mail) => mail.id }
const mails = jsonl("inbox/*.jsonl", { schema: Mail, key: (mail) => mail.id })
same<typeof mails, Source<Mail>>(true)
same<ItemOf<typeof mails>, Mail>(true)
const nightly = jsonl(({ date }) => `inbox/${date}/*.jsonl`, options)
same<typeof nightly, Source<Mail>>(true)
const several = csv(["a/*.csv", "b/*.csv"], { schema: Schema.Struct({ id: Schema.String, amount: Schema.FiniteFromString }), key: ({ id, amount }) => `${id}-${amount.toFixed()}` })
same<ItemOf<typeof several>, { readonly id: string; readonly amount: number }>(true)
const weekly = parquet(({ interval: { start, end } }) => [`mails/${start.toISOString()}.parquet`, `mails/${end.getFullYear()}.parquet`], options)
same<typeof weekly, Source<Mail>>(true)
const query = sql("select * from 'mails.parquet'", options)
same<typeof query, Source<Mail>>(true)
const fed = stream(() => Stream.fromIterable<Mail>([]), options)
same<typeof fed, Source<Mail>>(true)
const served = stream(() => Stream.unwrap(Effect.map(Mailbox, ({ mails: all }) => all)), options)
same<typeof served, Source<Mail, Mailbox>>(true)
const folder = files("inbox/**/*.eml", {
  schema: Mail,
  parse: (file) => ({ id: file.path, kind: "letter", subject: "", body: file.text(), urgent: file.bytes.length > 9, files: [] }) as const
})
same<typeof folder, Source<Mail>>(true)
const parsed = files(({ date }) => `inbox/${date}`, {
  schema: Reply, key: ({ text }, path) => `${path}#${text}`,
  parse: (file) => Effect.map(Glossary, ({ terms }) => ({ text: terms + file.text() }))
})
same<typeof parsed, Source<typeof Reply.Type, Glossary>>(true)
const awaited = files("inbox/*", { schema: Reply, parse: async (file) => ({ text: file.text() }) })
same<typeof awaited, Source<typeof Reply.Type>>(true)

// ---- params: a location that reads them asks the job for a schema
const regional = {
  jsonl: jsonl(({ params }: Run) => `inbox/${params.region}/*.jsonl`, options),
  csv: csv(({ params, date }: Run) => [`${params.region}/${date}.csv`], options),
  parquet: parquet(({ params }: Run) => `${params.region}.parquet`, options),
  sql: sql(({ params, interval }: Run) => `select * from mails where age < ${params.days} and at >= '${interval.start.toISOString()}'`, options),
  files: files(({ params }: Run) => params.region, { schema: Reply, parse: (file) => ({ text: file.path }) }),
  stream: stream(({ params }: Run) => Stream.unwrap(Effect.map(Mailbox, (box) => Stream.take(box.mails, params.days))), options)
}
const Wider = Schema.Struct({ ...Params.fields, note: Schema.String })
const asked = infer(partition(regional.jsonl), { model: bayes, output: Triage, prompt: (mail) => [user`${mail.body}`] })
job("asked", { ...about, params: Params, steps: { asked } })
job("asked", { ...about, params: Wider, steps: { asked, rows: regional.sql, sheets: regional.csv, tables: regional.parquet, texts: regional.files } })
job("asked", { ...about, params: Params, steps: { fed: regional.stream }, services: Mailbox.layer })
job("unasked", { ...about, params: Params, steps: { mails } })
job("unasked", { ...about, steps: { nightly } })

// ---- exports: so does a folder
const exported = { exports: [toParquet("out"), toCsv(({ date, run }) => `out/${date}/${run}`, { step: asked }), toJsonl(({ params }: ExportContext<typeof Params.Type>) => params.region)] }
job("exported", { ...about, params: Params, steps: { asked }, release: exported })
job("exported", { ...about, params: Params, steps: { mails }, release: { exports: [toJsonl(({ params }: Run) => params.region)] } })
job("exported", { ...about, steps: { mails }, release: { exports: [toParquet("out")] } })
job("exported", { ...about, steps: { mails }, release: {} })

// ---- partitions: what `by` and `tiers` name can be overridden
const hashed = partition(mails)
same<typeof hashed, Partitions<Mail, never, never>>(true)
const balanced = partition(mails, { weight: (mail) => mail.body.length, itemsMax: 500 })
const byKind = partition(mails, { by: (mail) => mail.kind })
same<typeof byKind, Partitions<Mail, never, "letter" | "form">>(true)
const bySubject = partition(served, { by: (mail) => mail.subject })
same<typeof bySubject, Partitions<Mail, Mailbox, string>>(true)
const sized = partition(mails, { tiers: { size: (mail) => mail.body.length, tiers: [{ name: "short", upTo: 1_000 }, { name: "long" }] } })
same<typeof sized, Partitions<Mail, never, "short" | "long">>(true)

const gpt = openai("gpt-5-mini", { account: "desk", tier: "batch" })
const vllm = openaiCompatible("llama", { account: "rack", baseUrl: "http://localhost:8000/v1", itemsPerMinute: 600 })
const lookup = local("lookup", (request) => Effect.map(Directory, (directory) => ({ topic: directory.has(request.messages[0]?.text ?? "") })))
const overridden = infer(byKind, {
  model: bayes, output: Triage, maxTokens: 9, prompt: (mail) => [user`${mail.body}`],
  overrides: {
    letter: { model: gpt },
    form: { model: lookup, prompt: (mail) => Effect.map(Glossary, ({ terms }) => [system`${terms}`, user`${mail.subject}`] as const) }
  }
})
same<typeof overridden, Answers<Mail, typeof Triage.Type, Directory | Glossary>>(true)
infer(when(sized, (mail) => mail.urgent), { model: vllm, output: Triage, maxTokens: 9, prompt: (mail) => [user`${mail.body}`], overrides: { long: { model: gpt } } })
infer(bySubject, { model: vllm, output: Triage, maxTokens: 9, prompt: (mail) => [user`${mail.body}`], overrides: { "any subject": { prompt: () => [user`hello`] } } })

// ---- infer: cascade, confidence, embedded models with services, prompts that wait
const triage = infer(balanced, {
  model: [bayes, haiku], accept: ({ output, item, model, attempt, key }) => output.confidence > 0.9 && item.urgent && model !== key && attempt < 3,
  confidence: (output) => output.confidence, maxTokens: 64, temperature: 0, reuse: false, output: Triage,
  prompt: (mail) => [system`Name the topic.`, user`${mail.subject}`]
})
same<typeof triage, Answers<Mail, typeof Triage.Type>>(true)
const looked = infer(balanced, { model: [lookup, anthropic("claude", { account: "desk" })], accept: () => true, maxTokens: 1, output: Triage, prompt: () => [user`x`] })
same<typeof looked, Answers<Mail, typeof Triage.Type, Directory>>(true)
const mood = infer(when(balanced, (mail) => mail.body !== ""), {
  model: [bayes, haiku], maxTokens: 64, output: Mood, accept: ({ item, output }) => output.mood === "calm" && item.urgent,
  prompt: Effect.fn("mood.prompt")(function*(mail) {
    const { terms } = yield* Glossary
    return [system`Name the mood.`, user`${terms} ${mail.body}`]
  })
})
const asyncReply = infer(triage, { model: haiku, maxTokens: 1, output: Reply, prompt: async ({ item }) => [system`x`, user`${item.body}`] })
same<typeof asyncReply, Answers<Mail, typeof Reply.Type>>(true)
const genReply = infer(triage, {
  model: haiku, maxTokens: 1, output: Reply,
  prompt: ({ item, output }) => Effect.gen(function*() { return [system`x`, user`${(yield* Glossary).terms} ${item.body} ${output.topic}`] })
})
same<typeof genReply, Answers<Mail, typeof Reply.Type, Glossary>>(true)

// ---- DAG: fan-out, join, chain; `item` is the mail however deep
const both = join({ triage, mood })
same<typeof both, Answers<Mail, { readonly triage: typeof Triage.Type; readonly mood: typeof Mood.Type }, Glossary>>(true)
const reply = infer(when(both, ({ output }) => output.triage.topic === "personal"), {
  model: haiku, maxTokens: 512, output: Reply,
  prompt: ({ item, output }) => {
    same<typeof item, Mail>(true)
    same<typeof output.mood.mood, "calm" | "angry">(true)
    return [system`Answer the mail.`, user`${item.body} ${output.mood.why}`]
  }
})
const kept = when(triage, ({ item, output }) => item.urgent || output.topic === "list")
same<typeof kept, typeof triage>(true)

// ---- rules: boolean, Promise, Effect, Effect.fn and Effect.gen, side by side
const checked = validate(reply, {
  short: { pass: ({ output }) => output.text.length < 2_000, orElse: flag },
  clean: { pass: async ({ output }) => output.text !== "", orElse: deadLetter },
  polite: { pass: ({ output }) => output.text.startsWith("Dear"), orElse: retry({ attemptsMax: 2, feedback: "Begin with Dear" }) },
  known: { pass: ({ item }) => Effect.flatMap(Directory, (directory) => directory.has(item.id)), orElse: review },
  alsoKnown: { pass: Effect.fn("alsoKnown")(function*({ item }) { return yield* (yield* Directory).has(item.subject) }), orElse: review },
  genKnown: { pass: ({ output }) => Effect.gen(function*() { return yield* (yield* Directory).has(output.text) }), orElse: review }
})
same<typeof checked, Answers<Mail, typeof Reply.Type, Directory | Glossary>>(true)

// ---- reducers
const numbers = aggregate(both, {
  total: count, byTopic: countBy(({ output }) => output.triage.topic), byMood: countBy((answer) => answer.output.mood.mood), byModel: countBy(({ model }) => model),
  confidence: mean(({ output }) => output.triage.confidence), characters: sum(({ item }) => item.body.length)
})
type Numbers = {
  readonly total: number; readonly byTopic: Readonly<Record<"spam" | "list" | "personal", number>>; readonly byMood: Readonly<Record<"calm" | "angry", number>>
  readonly byModel: Readonly<Record<string, number>>; readonly confidence: number | null; readonly characters: number
}
same<typeof numbers, Summary<Numbers, Glossary>>(true)
const longest = { start: () => { let most = 0; return { add: ({ item }: Answer<Mail, unknown>) => { most = Math.max(most, item.body.length) }, value: () => most } } }
const own = aggregate(triage, { longest })
same<typeof own, Summary<{ readonly longest: number }>>(true)
const numbersReport = report(numbers, ({ byMood, confidence }) => Effect.as(Glossary, `${byMood.angry} angry, ${confidence ?? "none"} sure`))
same<typeof numbersReport, Report<Glossary>>(true)
const awaitedReport = report(own, async (values) => `${values.longest} characters`)
same<typeof awaitedReport, Report>(true)

// ---- SQL over flattened columns
same<Columns<typeof Mood.Type>, {
  readonly mood: "calm" | "angry"; readonly why: string | null; readonly tags: Json<ReadonlyArray<string>>
  readonly place_city: string; readonly place_geo_lat: number
}>(true)
const moods = aggregate(mood, (db) =>
  db.selectFrom("rows").innerJoin("items", "items.item_key", "rows.item_key")
    .select(({ fn }) => ["rows.mood", "rows.place_city as city", fn.countAll<number>().as("mails"), fn.max("items.subject").as("last")])
    .where("place_geo_lat", ">", 0).groupBy(["rows.mood", "rows.place_city"]))
const moodReport = report(moods, (rows) => {
  same<typeof rows[number], { readonly mood: "calm" | "angry"; readonly city: string; readonly mails: number; readonly last: string }>(true)
  return rows.map(({ mood: name, city, mails: of }) => `${name} in ${city}: ${of}`).join("\n")
})
const shares = aggregate(both, (db) => db.with("spam", (of) => of.selectFrom("rows").select("item_key").where("triage_topic", "=", "spam")).selectFrom("spam").select(db.fn.countAll<number>().as("mails")))
same<typeof shares, Summary<ReadonlyArray<{ readonly mails: number }>, Glossary>>(true)
const joined = aggregate(both, (db) => db.selectFrom("rows").select(["triage_topic", "mood_place_city"]))
const joinedReport = report(joined, (rows) => rows[0]?.triage_topic ?? "")

// ---- jobs: services of every step that is listed or reached
const desk = job("desk", {
  ...about, consumers: ["crm"], retention: "30 days", schedule: cron("0 1 * * *", { timeZone: "UTC", within: "6 hours", catchUp: "all" }),
  steps: { mails, triage, mood, checked, moods, moodReport, joinedReport, numbersReport },
  services: Layer.merge(Directory.layer, Glossary.layer)
})
same<Needs<typeof desk.steps>, Directory | Glossary>(true)
job("desk", { ...about, steps: { looked }, services: Layer.mergeAll(Directory.layer, Glossary.layer, Mailbox.layer) })
job("desk", { ...about, steps: { triage }, services: Glossary.layer })

// ---- templates: every kind of data, and fragments
const holes: { readonly list: ReadonlyArray<string | number>; readonly nested?: { readonly at: Date | null } } = { list: [] }
export const everyHole = (mail: Mail, more: Record<string, boolean>) => [
  system`${1} ${1n} ${true} ${null} ${undefined} ${new Date(0)} ${mail} ${holes} ${more} ${mail.files}${given(mail.urgent)` It is urgent.`}`,
  user`${mail.subject}${given(mail.cc)` (copied to ${(cc) => cc.trim()}${given(mail.urgent)`, urgently`})`}${each(mail.files)`\n- ${(file) => file.name}: ${({ bytes }) => bytes}`}`
] as const

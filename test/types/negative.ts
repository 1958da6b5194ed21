/**
 * Under each `@ts-expect-error` stands one mistake that an author makes, with a part of the sentence that the compiler says.
 * Keep each on one line: types.test.ts holds the sentences against the compiler.
 */
import { Context, Effect, Layer, Schema, Stream } from "effect"
import {
  aggregate, anthropic, count, countBy, cron, csv, deadLetter, each, files, given, infer, job, join, jsonl, local, mean, openai, openaiCompatible,
  parquet, partition, report, retry, review, sql, stream, sum, system, toCsv, toJsonl, toParquet, usd, user, validate, when, type RunContext
} from "nightshift"
import { bayes, haiku } from "./models.ts"

const Mail = Schema.Struct({ id: Schema.NonEmptyString, subject: Schema.String, kind: Schema.Literals(["letter", "form"]), cc: Schema.optionalKey(Schema.String) })
const Triage = Schema.Struct({ topic: Schema.Literals(["spam", "list", "personal"]), confidence: Schema.Finite, place: Schema.NullOr(Schema.Struct({ city: Schema.String })) })
const Call = Schema.Struct({ number: Schema.String })
const Params = Schema.Struct({ region: Schema.String, days: Schema.Finite })
const Region = Schema.Struct({ region: Schema.String })
const Textual = Schema.Struct({ region: Schema.String, days: Schema.String })
type Run = RunContext<typeof Params.Type>
class Directory extends Context.Service<Directory, { readonly has: (name: string) => Effect.Effect<boolean> }>()("negative/Directory") {
  static readonly layer = Layer.succeed(this, this.of({ has: () => Effect.succeed(true) }))
}
const Serviced = Schema.Struct({ name: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.as(Directory, "x"))) })
class Other extends Context.Service<Other, { readonly x: 1 }>()("negative/Other") {
  static readonly layer = Layer.succeed(this, this.of({ x: 1 }))
}

const options = { schema: Mail, key: (mail: typeof Mail.Type) => mail.id }
const mails = jsonl("inbox/*.jsonl", options)
const calls = jsonl("calls/*.jsonl", { schema: Call, key: (call) => call.number })
const balanced = partition(mails)
const byKind = partition(mails, { by: (mail) => mail.kind })
const bySize = partition(mails, { tiers: { size: (mail) => mail.subject.length, tiers: [{ name: "short", upTo: 9 }, { name: "long" }] } })
const settings = { model: bayes, output: Triage, maxTokens: 64 } as const
const asking = { output: Triage, maxTokens: 64, prompt: () => [user`hello`] as const }
const triage = infer(balanced, { ...settings, prompt: (mail) => [user`${mail.subject}`] })
const callTriage = infer(partition(calls), { ...settings, prompt: (call) => [user`${call.number}`] })
const known = validate(triage, { known: { pass: ({ item }) => Effect.flatMap(Directory, (directory) => directory.has(item.id)), orElse: review } })
const mix = aggregate(triage, { total: count, byTopic: countBy(({ output }) => output.topic) })
const morning = report(mix, ({ total }) => String(total))
const regional = jsonl(({ params }: Run) => params.region, options)
const otherwise = jsonl(({ params }: RunContext<{ readonly town: string }>) => params.town, options)
const lookup = local("lookup", () => Effect.map(Directory, () => ({ topic: "spam", confidence: 1 })))
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

// ---- sources
// @ts-expect-error the key reads a field that the schema lacks
jsonl("x", { schema: Mail, key: (mail) => mail.uid }) // says: Property 'uid' does not exist on type '{ readonly id: string;
// @ts-expect-error the key isn't text
csv("x", { schema: Mail, key: (mail) => mail.subject.length }) // says: Type 'number' is not assignable to type 'string'.
// @ts-expect-error the key may be missing
parquet("x", { schema: Mail, key: (mail) => mail.cc }) // says: Type 'string | undefined' is not assignable to type 'string'.
// @ts-expect-error a source without a key
jsonl("x", { schema: Mail }) // says: Property 'key' is missing
// @ts-expect-error rows are objects
jsonl("x", { schema: Schema.String, key: (text) => text }) // says: "An item is a Schema.Struct: its fields are what prompts and queries read"
// @ts-expect-error a path that isn't text
jsonl(new URL("file:///inbox"), options) // says: Argument of type 'URL' is not assignable to parameter of type 'Given<Paths
// @ts-expect-error the run knows no such thing
jsonl(({ today }) => `inbox/${today}`, options) // says: Property 'today' does not exist on type 'RunContext<
// @ts-expect-error a path is known before the run: it can't be awaited
jsonl(async ({ date }) => `inbox/${date}`, options) // says: Type 'Promise<string>' is not assignable to type 'Paths'.
// @ts-expect-error the parameters have no type until the location says which it reads
jsonl(({ params }) => `inbox/${params.region}`, options) // says: 'params' is of type 'unknown'.
// @ts-expect-error a field that the parameters lack
jsonl(({ params }: Run) => `inbox/${params.town}`, options) // says: Property 'town' does not exist on type '{ readonly region: string;
// @ts-expect-error a query is one text
sql(["select 1", "select 2"], options) // says: Argument of type 'string[]' is not assignable to parameter of type 'Given<string
// @ts-expect-error the stream's rows don't fit the schema
stream(() => Stream.make({ id: "1" }), options) // says: is missing the following properties from type '{ readonly id: string;
// @ts-expect-error a list is no stream
stream(() => [], options) // says: Type 'never[]' is missing the following properties from type 'Stream<
// @ts-expect-error the parser's item doesn't fit the schema
files("x", { schema: Call, parse: (file) => ({ phone: file.text() }) }) // says: Type '{ phone: string; }' is not assignable to type 'Eventually<{ readonly number: string; }>'.
// @ts-expect-error the parser's Effect gives an item that doesn't fit the schema
files("x", { schema: Call, parse: () => Effect.succeed({ number: 4 }) }) // says: Type 'number' is not assignable to type 'string'.
// @ts-expect-error a file has no such field
files("x", { schema: Call, parse: (file) => ({ number: file.name }) }) // says: Property 'name' does not exist on type 'SourceFile'.
// @ts-expect-error files need a parser
files("x", { schema: Call }) // says: Property 'parse' is missing

// ---- partitions
// @ts-expect-error the weight reads a field that the item lacks
partition(mails, { weight: (mail) => mail.body.length }) // says: Property 'body' does not exist on type '{ readonly id: string;
// @ts-expect-error a weight is a number
partition(mails, { weight: (mail) => mail.subject }) // says: Type 'string' is not assignable to type 'number'.
// @ts-expect-error by reads a field that the item lacks
partition(mails, { by: (mail) => mail.country }) // says: Property 'country' does not exist
// @ts-expect-error by may give nothing
partition(mails, { by: (mail) => mail.cc }) // says: Type 'string | undefined' is not assignable to type 'string'.
// @ts-expect-error which partition an item belongs to must not depend on a service
partition(mails, { by: (mail) => Effect.succeed(mail.kind) }) // says: is not assignable to type 'string'.
// @ts-expect-error the size reads a field that the item lacks
partition(mails, { tiers: { size: (mail) => mail.pages, tiers: [{ name: "all" }] } }) // says: Property 'pages' does not exist
// @ts-expect-error a tier without a name
partition(mails, { tiers: { size: () => 1, tiers: [{ upTo: 9 }] } }) // says: Property 'name' is missing in type '{ upTo: number; }'
// @ts-expect-error a partition is partitioned again
partition(balanced) // says: is not assignable to parameter of type '"partition reads a source, such as jsonl(…)"'.
// @ts-expect-error a partition of answers
partition(triage) // says: is not assignable to parameter of type '"partition reads a source, such as jsonl(…)"'.

// ---- infer: what it reads
// @ts-expect-error infer reads a source: partition it first
infer(mails, { ...settings, prompt: () => [user`hello`] }) // says: "A source has no partitions yet: write partition(source, { … }) and read that"
// @ts-expect-error infer reads an aggregate
infer(mix, { ...settings, prompt: () => [user`hello`] }) // says: "This step reads partitions or answers: an aggregate or a report has no rows"
// @ts-expect-error infer reads a report
infer(morning, { ...settings, prompt: () => [user`hello`] }) // says: "This step reads partitions or answers: an aggregate or a report has no rows"
// @ts-expect-error infer names the step it reads: names are values here
infer("balanced", { ...settings, prompt: () => [user`hello`] }) // says: Argument of type '"balanced"' is not assignable

// ---- infer: prompts
// @ts-expect-error the prompt reads a field that the item lacks
infer(balanced, { ...settings, prompt: (mail) => [user`${mail.body}`] }) // says: Property 'body' does not exist on type '{ readonly id: string;
// @ts-expect-error after an infer, the prompt gets { item, output }, not the item
infer(triage, { ...settings, prompt: (mail) => [user`${mail.subject}`] }) // says: Property 'subject' does not exist on type 'Answer<{ readonly id: string;
// @ts-expect-error the prompt reads a field that the answer before it lacks
infer(triage, { ...settings, prompt: ({ output }) => [user`${output.mood}`] }) // says: Property 'mood' does not exist on type '{ readonly topic:
// @ts-expect-error a branch that the join doesn't have
infer(join({ a: triage, b: known }), { ...settings, prompt: ({ output }) => [user`${output.c.topic}`] }) // says: Property 'c' does not exist on type '{ readonly a: {
// @ts-expect-error a prompt without messages
infer(balanced, { ...settings, prompt: () => [] }) // says: Source has 0 element(s) but target requires 1.
// @ts-expect-error a prompt of plain strings: nothing tells instruction from data
infer(balanced, { ...settings, prompt: (mail) => [`Name the topic of ${mail.subject}`] }) // says: Type 'string' is not assignable to type 'Message'.
// @ts-expect-error one message, not a list
infer(balanced, { ...settings, prompt: (mail) => user`${mail.subject}` }) // says: Type 'Message' is not assignable to type 'Eventually<readonly [Message, ...Message[]]>'.
// @ts-expect-error an async prompt that reads a field that the item lacks
infer(balanced, { ...settings, prompt: async (mail) => [user`${mail.body}`] }) // says: Property 'body' does not exist
// @ts-expect-error an Effect that gives no messages
infer(balanced, { ...settings, prompt: () => Effect.succeed("hello") }) // says: Type 'Effect<string, never, never>' is not assignable to type 'Eventually<readonly [Message, ...Message[]]>'.

// ---- infer: models, cascades, confidence, settings
// @ts-expect-error a model by its name: which account pays?
infer(balanced, { ...asking, model: "gpt-5-mini" }) // says: Type 'string' is not assignable to type 'Model<any> | readonly [Model<any>,
// @ts-expect-error a model without an account
openai("gpt-5-mini", {}) // says: Property 'account' is missing in type '{}'
// @ts-expect-error a key in the module
anthropic("claude", { account: "desk", apiKey: "sk-1" }) // says: 'apiKey' does not exist in type 'ModelOptions'.
// @ts-expect-error a tier that no provider has
openai("gpt-5-mini", { account: "desk", tier: "cheap" }) // says: Type '"cheap"' is not assignable to type 'ModelTier'.
// @ts-expect-error a server without an address
openaiCompatible("llama", { account: "rack" }) // says: Property 'baseUrl' is missing
// @ts-expect-error an embedded model sees messages, not the item
local("naive", ({ item }) => item) // says: Property 'item' does not exist on type 'ModelRequest'.
// @ts-expect-error a cascade without accept
infer(balanced, { ...asking, model: [bayes, haiku] }) // says: Property 'accept' is missing in type
// @ts-expect-error accept with one model
infer(balanced, { ...asking, model: bayes, accept: () => true }) // says: "accept chooses between models: give model a list, or drop accept"
// @ts-expect-error accept reads a field that the output lacks
infer(balanced, { ...asking, model: [bayes, haiku], accept: ({ output }) => output.confidense > 0.9 }) // says: Property 'confidense' does not exist on type
// @ts-expect-error accept reads a field that the item lacks
infer(balanced, { ...asking, model: [bayes, haiku], accept: ({ item }) => item.urgent }) // says: Property 'urgent' does not exist on type '{ readonly id: string;
// @ts-expect-error a cascade of one
infer(balanced, { ...asking, model: [bayes], accept: () => true }) // says: Source has 1 element(s) but target requires 2.
// @ts-expect-error accept is plain: which model answers must not depend on a service
infer(balanced, { ...asking, model: [bayes, haiku], accept: () => Effect.succeed(true) }) // says: Type 'Effect<boolean, never, never>' is not assignable to type 'boolean'.
// @ts-expect-error confidence reads a field that the output lacks
infer(balanced, { ...asking, model: bayes, confidence: (output) => output.sure }) // says: Property 'sure' does not exist on type '{ readonly topic:
// @ts-expect-error confidence is a number
infer(balanced, { ...asking, model: bayes, confidence: (output) => output.topic }) // says: is not assignable to type 'number'.
// @ts-expect-error the output is not an object
infer(balanced, { ...asking, model: bayes, output: Schema.String }) // says: "The output is a Schema.Struct: its fields become the columns that analysts query"
// @ts-expect-error the output is a list
infer(balanced, { ...asking, model: bayes, output: Schema.Array(Triage) }) // says: "The output is a Schema.Struct: its fields become the columns that analysts query"
// @ts-expect-error a schema that needs a service to decode
infer(balanced, { ...asking, model: bayes, output: Serviced }) // says: Type 'Directory' is not assignable to type 'never'.
// @ts-expect-error an unknown option
infer(balanced, { ...asking, model: bayes, temprature: 0 }) // says: Did you mean to write 'temperature'?
// @ts-expect-error no prompt
infer(balanced, settings) // says: Property 'prompt' is missing

// ---- infer: overrides
// @ts-expect-error a label that `by` never returns
infer(byKind, { ...asking, model: bayes, overrides: { postcard: { model: haiku } } }) // says: 'postcard' does not exist in type '{ readonly form?:
// @ts-expect-error a tier that doesn't exist
infer(bySize, { ...asking, model: bayes, overrides: { huge: { model: haiku } } }) // says: 'huge' does not exist in type '{ readonly long?:
// @ts-expect-error these partitions have no labels
infer(balanced, { ...asking, model: bayes, overrides: { letter: { model: haiku } } }) // says: "Only partitions have labels: read partition(source, { by }) or { tiers } here"
// @ts-expect-error answers have no labels
infer(triage, { ...asking, model: bayes, overrides: { letter: { model: haiku } } }) // says: "Only partitions have labels: read partition(source, { by }) or { tiers } here"
// @ts-expect-error an override's prompt reads a field that the item lacks
infer(byKind, { ...asking, model: bayes, overrides: { letter: { prompt: (mail) => [user`${mail.body}`] } } }) // says: Property 'body' does not exist
// @ts-expect-error an override of what can't be overridden
infer(byKind, { ...asking, model: bayes, overrides: { letter: { output: Call } } }) // says: 'output' does not exist in type '{ readonly model?:

// ---- templates
// @ts-expect-error an Effect is not data: yield it first
user`${Effect.succeed("x")}` // says: "An Effect is not data yet: yield* it first"
// @ts-expect-error a promise is not data: await it first
user`${Promise.resolve("x")}` // says: "A promise is not data yet: await it first"
// @ts-expect-error a function is not data
system`${(x: string) => x}` // says: "A function is not data: call it, or write given(value)`…`"
// @ts-expect-error a map is not data
user`${new Map([["a", 1]])}` // says: "Data is text, numbers, dates, and lists and plain objects of them"
// @ts-expect-error a template is called as a tag: a text that was put together can't be told from data
system(`Name the topic of ${mails.kind}`) // says: Argument of type 'string' is not assignable to parameter of type 'TemplateStringsArray'.
// @ts-expect-error a message inside a message
user`${system`Name the topic.`}` // says: "A message can't stand in a message: list both"
// @ts-expect-error a fragment's function returns a fragment: its literals would depend on data
user`${given("x")`a ${(x) => given(x)`b`}`}` // says: Type '(x: string) => Fragment' is not assignable to type '(value: string) => Data'.
// @ts-expect-error the value is there inside given, and not before
user`${given(mails.kind as string | undefined)`${(kind) => kind.length}`}${(mails.kind as string | undefined).length}` // says: Object is possibly 'undefined'.
// @ts-expect-error each on something that isn't a list
each(4) // says: Argument of type 'number' is not assignable to parameter of type 'readonly unknown[]'.
// @ts-expect-error the value's field doesn't exist
each([{ a: 1 }])`${(value) => value.b}` // says: Property 'b' does not exist on type '{ a: number; }'.

// ---- rules
// @ts-expect-error a rule that returns a string
validate(triage, { named: { pass: ({ output }) => output.topic, orElse: deadLetter } }) // says: is not assignable to type 'Eventually<boolean>'.
// @ts-expect-error a rule whose Effect doesn't give a boolean
validate(triage, { named: { pass: () => Effect.succeed("yes"), orElse: deadLetter } }) // says: Type 'Effect<string, never, never>' is not assignable to type 'Eventually<boolean>'.
// @ts-expect-error a rule that reads a field that the output lacks
validate(triage, { sure: { pass: ({ output }) => output.confidense > 0.6, orElse: deadLetter } }) // says: Did you mean 'confidence'?
// @ts-expect-error a rule that reads a field that the item lacks
validate(triage, { sure: { pass: ({ item }) => item.urgent, orElse: deadLetter } }) // says: Property 'urgent' does not exist
// @ts-expect-error a comparison that can't be true
validate(triage, { list: { pass: ({ output }) => output.topic === "lists", orElse: deadLetter } }) // says: This comparison appears to be unintentional
// @ts-expect-error a rule without a verdict
validate(triage, { sure: { pass: ({ output }) => output.confidence > 0.6 } }) // says: Property 'orElse' is missing in type
// @ts-expect-error a verdict by its name
validate(triage, { sure: { pass: () => true, orElse: "review" } }) // says: Type 'string' is not assignable to type 'Verdict'.
// @ts-expect-error a retry without an end
validate(triage, { sure: { pass: () => true, orElse: retry({ feedback: "again" }) } }) // says: Property 'attemptsMax' is missing
// @ts-expect-error a retry is called with its bound
validate(triage, { sure: { pass: () => true, orElse: retry } }) // says: is not assignable to type 'Verdict'.
// @ts-expect-error partitions have no answers to validate
validate(balanced, { sure: { pass: () => true, orElse: deadLetter } }) // says: "This step reads answers: put infer(…) before it"
// @ts-expect-error a source has no answers to validate
validate(mails, { sure: { pass: () => true, orElse: deadLetter } }) // says: "This step reads answers: put infer(…) before it"

// ---- when and join
// @ts-expect-error when reads a field that the output lacks
when(triage, ({ output }) => output.topik === "spam") // says: Property 'topik' does not exist on type
// @ts-expect-error when over partitions gets the item
when(balanced, ({ item }) => item.subject !== "") // says: Property 'item' does not exist on type '{ readonly id: string;
// @ts-expect-error where an item goes must not depend on a service
when(triage, () => Effect.succeed(true)) // says: Type 'Effect<boolean, never, never>' is not assignable to type 'boolean'.
// @ts-expect-error when over a source: partition it first
when(mails, () => true) // says: "A source has no partitions yet: write partition(source, { … }) and read that"
// @ts-expect-error branches of different sources
join({ triage, callTriage }) // says: "These branches read different items: join only what comes from one source"
// @ts-expect-error a branch that has no answers
join({ triage, balanced }) // says: "A branch is a step with answers: put infer(…) before it"

// ---- aggregates
// @ts-expect-error a reducer reads a field that the output lacks
aggregate(triage, { byTopic: countBy(({ output }) => output.kind) }) // says: Property 'kind' does not exist on type '{ readonly topic:
// @ts-expect-error a reducer reads a field that the item lacks
aggregate(triage, { characters: sum(({ item }) => item.body.length) }) // says: Property 'body' does not exist on type '{ readonly id: string;
// @ts-expect-error a key that isn't a string
aggregate(triage, { byTopic: countBy(({ output }) => output.confidence) }) // says: Type 'number' is not assignable to type 'string'.
// @ts-expect-error a mean of texts
aggregate(triage, { mood: mean(({ output }) => output.topic) }) // says: is not assignable to type 'number'.
// @ts-expect-error a callback where a reducer belongs
aggregate(triage, { byTopic: ({ output }) => output.topic }) // says: Binding element 'output' implicitly has an 'any' type.
// @ts-expect-error partitions have no answers to aggregate
aggregate(balanced, { total: count }) // says: "This step reads answers: put infer(…) before it"
// @ts-expect-error a table that doesn't exist
aggregate(triage, (db) => db.selectFrom("answers").selectAll()) // says: Argument of type '"answers"' is not assignable to parameter of type 'TableExpressionOrList<Database<
// @ts-expect-error a column that doesn't exist
aggregate(triage, (db) => db.selectFrom("rows").select("topik")) // says: Argument of type '"topik"' is not assignable to parameter of type 'SelectExpression<Database<
// @ts-expect-error a struct that may be missing is one JSON column
aggregate(triage, (db) => db.selectFrom("rows").select("place_city")) // says: Argument of type '"place_city"' is not assignable to parameter of type 'SelectExpression<Database<
// @ts-expect-error a column compared with what it never holds
aggregate(triage, (db) => db.selectFrom("rows").select("item_key").where("topic", "=", "lists")) // says: Argument of type '"lists"' is not assignable to parameter of type 'OperandValueExpressionOrList<
// @ts-expect-error a query that writes
aggregate(triage, (db) => db.deleteFrom("rows")) // says: Property 'deleteFrom' does not exist on type 'Reader<
// @ts-expect-error a query is described, not run
aggregate(triage, (db) => db.selectFrom("rows").select("topic").execute()) // says: is not assignable to type

// ---- reports
// @ts-expect-error not one of the topics
report(mix, ({ byTopic }) => String(byTopic.rental)) // says: Property 'rental' does not exist on type 'Readonly<Record<"list" | "personal" | "spam", number>>'.
// @ts-expect-error a column that the query didn't select
report(aggregate(triage, (db) => db.selectFrom("rows").select("topic")), (rows) => String(rows[0]?.confidence)) // says: Property 'confidence' does not exist on type '{ readonly topic:
// @ts-expect-error a report on answers: aggregate first
report(triage, () => "") // says: "report reads an aggregate: write aggregate(step, { … }) and read that"
// @ts-expect-error a report that returns a number
report(mix, ({ total }) => total) // says: Type 'number' is not assignable to type 'Eventually<string>'.
// @ts-expect-error an async report that returns a number
report(mix, async ({ total }) => total) // says: Type 'Promise<number>' is not assignable to type 'Eventually<string>'.

// ---- jobs: services
// @ts-expect-error the services that the rule needs are missing
job("x", { ...about, steps: { known } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the missing services of a step that isn't listed, only reached
job("x", { ...about, steps: { total: aggregate(known, { total: count }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of a prompt
job("x", { ...about, steps: { asked: infer(balanced, { ...settings, prompt: () => Effect.as(Directory, [user`hello`] as const) }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of an override's prompt
job("x", { ...about, steps: { asked: infer(byKind, { ...asking, model: bayes, overrides: { form: { prompt: () => Effect.as(Directory, [user`hello`] as const) } } }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of an embedded model
job("x", { ...about, steps: { asked: infer(balanced, { ...asking, model: lookup }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of one model of a cascade
job("x", { ...about, steps: { asked: infer(balanced, { ...asking, model: [bayes, lookup], accept: () => true }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of an override's model
job("x", { ...about, steps: { asked: infer(byKind, { ...asking, model: bayes, overrides: { form: { model: lookup } } }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of a report
job("x", { ...about, steps: { said: report(mix, () => Effect.as(Directory, "")) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of a parser
job("x", { ...about, steps: { calls: files("x", { schema: Call, parse: () => Effect.as(Directory, { number: "1" }) }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the services of a stream
job("x", { ...about, steps: { calls: stream(() => Stream.fromEffect(Effect.as(Directory, { number: "1" })), { schema: Call, key: () => "" }) } }) // says: but required in type 'ServicesFor<Directory>'.
// @ts-expect-error the layer gives another service
job("x", { ...about, steps: { known }, services: Other.layer }) // says: Type 'Layer<Other, never, never>' is not assignable to type 'Layer<Directory, unknown, never>'
// @ts-expect-error a layer with needs of its own
job("x", { ...about, steps: { known }, services: Layer.effect(Directory, Effect.map(Other, () => ({ has: () => Effect.succeed(true) }))) }) // says: Type 'Layer<Directory, never, Other>' is not assignable to type 'Layer<Directory, unknown, never>'

// ---- infer: evaluation
// @ts-expect-error a score reads a field that the answer doesn't have
infer(balanced, { ...asking, model: bayes, evaluation: { labelled: [{ item: { id: "1", subject: "", kind: "form" }, expected: 1 }], scoreMin: 1, score: (output) => output.points } }) // says: Property 'points' does not exist on type
// @ts-expect-error a score reads what the labelled rows don't expect
infer(balanced, { ...asking, model: bayes, evaluation: { labelled: [{ item: { id: "1", subject: "", kind: "form" }, expected: { topic: "spam" } }], scoreMin: 1, score: (_, expected) => expected.mood.length } }) // says: Property 'mood' does not exist on type
// @ts-expect-error a labelled item that the prompt can't be given
infer(balanced, { ...asking, model: bayes, evaluation: { labelled: [{ item: { id: "1" }, expected: 1 }], scoreMin: 1, score: () => 1 } }) // says: is missing the following properties from type
// @ts-expect-error a source of items without labels
infer(balanced, { ...asking, model: bayes, evaluation: { labelled: mails, scoreMin: 1, score: () => 1 } }) // says: is not assignable to type

// ---- jobs: params
// @ts-expect-error the source reads parameters that the job doesn't declare
job("x", { ...about, steps: { regional } }) // says: Property 'params' is missing in type
// @ts-expect-error the parameters of a step that isn't listed, only reached
job("x", { ...about, steps: { asked: infer(partition(regional), { ...asking, model: bayes }) } }) // says: Property 'params' is missing in type
// @ts-expect-error a schema that lacks a parameter
job("x", { ...about, params: Region, steps: { regional } }) // says: Property 'days' is missing in type '{ readonly region: string; }'
// @ts-expect-error a parameter of another type
job("x", { ...about, params: Textual, steps: { regional } }) // says: Type 'string' is not assignable to type 'number'.
// @ts-expect-error two sources that read different parameters, and a schema for one of them
job("x", { ...about, params: Params, steps: { regional, otherwise } }) // says: "Sources and exports read parameters of different types: give them one type"
// @ts-expect-error params is a schema, not a value
job("x", { ...about, params: { region: "eu", days: 7 }, steps: { regional } }) // says: 'region' does not exist in type

// ---- jobs: exports
// @ts-expect-error an export reads parameters that the job doesn't declare
job("x", { ...about, steps: { triage }, release: { exports: [toCsv(({ params }: Run) => params.region)] } }) // says: Property 'params' is missing in type
// @ts-expect-error an export reads other parameters than the source
job("x", { ...about, params: Params, steps: { regional }, release: { exports: [toCsv(({ params }: RunContext<{ readonly town: string }>) => params.town)] } }) // says: "Sources and exports read parameters of different types: give them one type"
// @ts-expect-error parameters of no known type
toParquet(({ params }) => params.region) // says: 'params' is of type 'unknown'.
// @ts-expect-error a folder that isn't text
toJsonl(({ interval }) => interval.start) // says: Type 'Date' is not assignable to type 'string'.
// @ts-expect-error an export of what isn't an answer
toParquet("out", { step: mix }) // says: is not assignable to type 'Answers<any, any, any>'
// @ts-expect-error a path is no export yet
job("x", { ...about, steps: { triage }, release: { exports: ["out.csv"] } }) // says: Type 'string' is not assignable to type 'Export<any>'.

// ---- jobs
// @ts-expect-error a step that isn't one
job("x", { ...about, steps: { triage, note: "hello" } }) // says: Type 'string' is not assignable to type 'Step'.
// @ts-expect-error a job without an owner
job("x", { purpose: "test", classification: "internal", budget: usd(1), steps: { triage } }) // says: Property 'owner' is missing
// @ts-expect-error a job without a purpose
job("x", { owner: "desk", classification: "internal", budget: usd(1), steps: { triage } }) // says: Property 'purpose' is missing
// @ts-expect-error a classification of one's own
job("x", { ...about, classification: "secret", steps: { triage } }) // says: Type '"secret"' is not assignable to type 'Classification'.
// @ts-expect-error a budget in no currency
job("x", { ...about, budget: 40, steps: { triage } }) // says: Type 'number' is not assignable to type 'Usd'.
// @ts-expect-error one consumer is a list of one
job("x", { ...about, consumers: "crm", steps: { triage } }) // says: Type 'string' is not assignable to type 'readonly string[]'.
// @ts-expect-error a schedule is a cron in a time zone
job("x", { ...about, schedule: "0 1 * * *", steps: { triage } }) // says: Type 'string' is not assignable to type 'Cron'.
// @ts-expect-error a retention that is no span of time
job("x", { ...about, retention: "a month", steps: { triage } }) // says: Type '"a month"' is not assignable to type 'Input'.
// @ts-expect-error a duration that isn't one
cron("0 1 * * *", { timeZone: "UTC", within: "6 ours" }) // says: Type '"6 ours"' is not assignable to type 'Input'.
// @ts-expect-error a schedule in no time zone
cron("0 1 * * *", { within: "6 hours" }) // says: Property 'timeZone' is missing in type
// @ts-expect-error a schedule without a deadline
cron("0 1 * * *", { timeZone: "UTC" }) // says: Property 'within' is missing in type
// @ts-expect-error a step reads one declared later: a cycle can't be written
const first = validate(second, {}), second = validate(first, {}) // says: Block-scoped variable 'second' used before its declaration.

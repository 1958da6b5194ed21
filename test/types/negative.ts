/** Every line under an @ts-expect-error is a mistake an author makes, and must not compile. Keep each on one line. */
import { Context, Effect, Layer, Schema } from "effect"
import { aggregate, count, countBy, cron, deadLetter, each, given, infer, job, join, jsonl, partition, report, review, system, usd, user, validate, when } from "nightshift"
import { bayes, haiku } from "./models.ts"

const Mail = Schema.Struct({ id: Schema.NonEmptyString, subject: Schema.String, cc: Schema.optionalKey(Schema.String) })
const Triage = Schema.Struct({ topic: Schema.Literals(["spam", "list", "personal"]), confidence: Schema.Finite })
const Call = Schema.Struct({ number: Schema.String })
class Directory extends Context.Service<Directory, { readonly has: (name: string) => Effect.Effect<boolean> }>()("negative/Directory") {
  static readonly layer = Layer.succeed(this, this.of({ has: () => Effect.succeed(true) }))
}
class Other extends Context.Service<Other, { readonly x: 1 }>()("negative/Other") {
  static readonly layer = Layer.succeed(this, this.of({ x: 1 }))
}

const mails = jsonl("inbox/*.jsonl", { schema: Mail, key: (mail) => mail.id })
const calls = jsonl("calls/*.jsonl", { schema: Call, key: (call) => call.number })
const balanced = partition(mails, {})
const settings = { model: bayes, output: Triage, maxTokens: 64 } as const
const triage = infer(balanced, { ...settings, prompt: (mail) => [user`${mail.subject}`] })
const callTriage = infer(partition(calls, {}), { ...settings, prompt: (call) => [user`${call.number}`] })
const known = validate(triage, { known: { pass: ({ item }) => Effect.flatMap(Directory, (directory) => directory.has(item.id)), orElse: review } })
const mix = aggregate(triage, { total: count, byTopic: countBy(({ output }) => output.topic) })
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

// ---- sources and partitions
// @ts-expect-error the key reads a field that the schema lacks
jsonl("x", { schema: Mail, key: (mail) => mail.uid })
// @ts-expect-error the weight reads a field that the item lacks
partition(mails, { weight: (mail) => mail.body.length })
// @ts-expect-error a partition is partitioned again
partition(balanced, {})

// ---- infer
// @ts-expect-error infer reads a source: partition it first
infer(mails, { ...settings, prompt: () => [user`hello`] })
// @ts-expect-error infer reads an aggregate
infer(mix, { ...settings, prompt: () => [user`hello`] })
// @ts-expect-error the prompt reads a field that the item lacks
infer(balanced, { ...settings, prompt: (mail) => [user`${mail.body}`] })
// @ts-expect-error after an infer, the prompt gets { item, output }, not the item
infer(triage, { ...settings, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error a prompt without messages
infer(balanced, { ...settings, prompt: () => [] })
// @ts-expect-error a prompt of plain strings: nothing tells instruction from data
infer(balanced, { ...settings, prompt: (mail) => [`Name the topic of ${mail.subject}`] })
// @ts-expect-error a cascade without accept
infer(balanced, { model: [bayes, haiku], output: Triage, maxTokens: 64, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error accept with one model
infer(balanced, { model: bayes, accept: () => true, output: Triage, maxTokens: 64, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error accept reads a field that the output lacks
infer(balanced, { model: [bayes, haiku], accept: ({ output }) => output.confidense > 0.9, output: Triage, maxTokens: 64, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error a cascade of one
infer(balanced, { model: [bayes], accept: () => true, output: Triage, maxTokens: 64, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error accept is plain: which model answers must not depend on a service
infer(balanced, { model: [bayes, haiku], accept: () => Effect.succeed(true), output: Triage, maxTokens: 64, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error an async prompt that reads a field that the item lacks
infer(balanced, { model: bayes, output: Triage, maxTokens: 64, prompt: async (mail) => [user`${mail.body}`] })
// @ts-expect-error the output is not an object
infer(balanced, { model: bayes, output: Schema.String, maxTokens: 64, prompt: (mail) => [user`${mail.subject}`] })
// @ts-expect-error an unknown option
infer(balanced, { model: bayes, output: Triage, maxTokens: 64, temprature: 0, prompt: (mail) => [user`${mail.subject}`] })

// ---- templates
// @ts-expect-error an Effect is not data: yield it first
user`${Effect.succeed("x")}`
// @ts-expect-error a promise is not data: await it first
user`${Promise.resolve("x")}`
// @ts-expect-error a function is not data
user`${(x: string) => x}`
// @ts-expect-error a template is called as a tag
system("Name the topic")
// @ts-expect-error a message inside a message
user`${system`Name the topic.`}`
// @ts-expect-error a fragment's function returns a fragment: its literals would depend on data
user`${given("x")`a ${(x) => given(x)`b`}`}`
// @ts-expect-error each on something that isn't a list
each(4)
// @ts-expect-error the value's field doesn't exist
each([{ a: 1 }])`${(value) => value.b}`

// ---- rules
// @ts-expect-error a rule that returns a string
validate(triage, { named: { pass: ({ output }) => output.topic, orElse: deadLetter } })
// @ts-expect-error a rule whose Effect doesn't give a boolean
validate(triage, { named: { pass: () => Effect.succeed("yes"), orElse: deadLetter } })
// @ts-expect-error a rule that reads a field that the output lacks
validate(triage, { sure: { pass: ({ output }) => output.confidense > 0.6, orElse: deadLetter } })
// @ts-expect-error a comparison that can't be true
validate(triage, { list: { pass: ({ output }) => output.topic === "lists", orElse: deadLetter } })
// @ts-expect-error a rule without a verdict
validate(triage, { sure: { pass: ({ output }) => output.confidence > 0.6 } })
// @ts-expect-error partitions have no answers to validate
validate(balanced, { sure: { pass: () => true, orElse: deadLetter } })
// @ts-expect-error when reads a field that the output lacks
when(triage, ({ output }) => output.topik === "spam")
// @ts-expect-error branches of different sources
join({ triage, callTriage })
// @ts-expect-error a branch that has no answers
join({ triage, balanced })

// ---- aggregates and reports
// @ts-expect-error a reducer reads a field that the output lacks
aggregate(triage, { byTopic: countBy(({ output }) => output.kind) })
// @ts-expect-error a key that isn't a string
aggregate(triage, { byTopic: countBy(({ output }) => output.confidence) })
// @ts-expect-error a table that doesn't exist
aggregate(triage, (db) => db.selectFrom("answers").selectAll())
// @ts-expect-error a column that doesn't exist
aggregate(triage, (db) => db.selectFrom("rows").select("topik"))
// @ts-expect-error a query that writes
aggregate(triage, (db) => db.deleteFrom("rows"))
// @ts-expect-error not one of the topics
report(mix, ({ byTopic }) => String(byTopic.rental))
// @ts-expect-error a report on answers: aggregate first
report(triage, () => "")
// @ts-expect-error a report that returns a number
report(mix, ({ total }) => total)

// ---- jobs
// @ts-expect-error the services that the rule needs are missing
job("x", { ...about, steps: { known } })
// @ts-expect-error the missing services of a step that isn't listed, only reached
job("x", { ...about, steps: { total: aggregate(known, { total: count }) } })
// @ts-expect-error the layer gives another service
job("x", { ...about, steps: { known }, services: Other.layer })
// @ts-expect-error a layer with needs of its own
job("x", { ...about, steps: { known }, services: Layer.effect(Directory, Effect.map(Other, () => ({ has: () => Effect.succeed(true) }))) })
// @ts-expect-error a step that isn't one
job("x", { ...about, steps: { triage, note: "hello" } })
// @ts-expect-error a job without an owner
job("x", { purpose: "test", classification: "internal", budget: usd(1), steps: { triage } })
// @ts-expect-error a budget in no currency
job("x", { ...about, budget: 40, steps: { triage } })
// @ts-expect-error a duration that isn't one
cron("0 1 * * *", { timeZone: "UTC", within: "6 ours" })
// @ts-expect-error a step reads one declared later: a cycle can't be written
const first = validate(second, {}), second = validate(first, {})

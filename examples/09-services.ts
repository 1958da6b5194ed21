/**
 * Services: what prompts and rules need beside the item, here a customer list. A job that uses one must be given it, or it doesn't compile.
 * The words are Effect's: a Service names what is needed, a Layer makes it. It is made before the first item and shared by all.
 * Run it: npx runtime run examples/09-services.ts    (exit code 3: two tickets are of nobody we know)
 */
import { readFile } from "node:fs/promises"

import { Context, Effect, Layer, Schema } from "effect"
import { aggregate, count, countBy, infer, job, jsonl, local, partition, report, review, system, usd, user, validate } from "nightshift"

// What is needed: two functions, under a name of its own.
interface CustomerList {
  readonly isKnown: (id: string) => boolean
  readonly planOf: (id: string) => "gold" | "basic"
}
class Customers extends Context.Service<Customers, CustomerList>()("examples/Customers") {}

// How it is made: from a file, checked like all that comes in; `yield*` waits, as `await` does. A test gives a layer of its own.
const CustomerFile = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Struct({ plan: Schema.Literals(["gold", "basic"]) })))
const customersFromFile = Layer.effect(
  Customers,
  Effect.gen(function* () {
    const text = yield* Effect.promise(() => readFile("examples/data/09-services/customers.json", "utf8"))
    const customers = yield* Schema.decodeEffect(CustomerFile)(text)
    return { isKnown: (id) => Object.hasOwn(customers, id), planOf: (id) => customers[id]?.plan ?? "basic" }
  })
)

const Ticket = Schema.Struct({ id: Schema.NonEmptyString, customer: Schema.String, text: Schema.String })
const tickets = jsonl("examples/data/09-services/tickets.jsonl", { schema: Ticket, key: (ticket) => ticket.id })

const dispatcher = local("dispatcher", ({ data: [plan, text] }) => {
  const isOutage = /down|stopped/.test(String(text))
  return { urgency: isOutage && plan === "gold" ? "now" : isOutage ? "today" : "this week" }
})

// A callback that needs a service returns an Effect: `use` hands it over. The step, and so the job, is then known to need it.
const urgencies = infer(partition(tickets), {
  model: dispatcher,
  prompt: (ticket) =>
    Customers.useSync((customers) => [
      system`How urgent is this ticket?`,
      user`A customer on the plan ${customers.planOf(ticket.customer)} writes: ${ticket.text}`
    ]),
  output: Schema.Struct({ urgency: Schema.Literals(["now", "today", "this week"]) })
})
const routed = validate(urgencies, {
  knownCustomer: { pass: ({ item }) => Customers.useSync((customers) => customers.isKnown(item.customer)), orElse: review }
})

const totals = aggregate(routed, { tickets: count, byUrgency: countBy(({ output }) => output.urgency) })
const summary = report(totals, ({ tickets, byUrgency }) => `${tickets} tickets, ${byUrgency.now} of them for now.`)

export default job("services", {
  owner: "support",
  purpose: "Serve urgent tickets first",
  classification: "confidential",
  budget: usd(1),
  services: customersFromFile,
  steps: { tickets, urgencies, routed, totals, summary }
})

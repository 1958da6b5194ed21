/** What can be wrong with one model beyond its types. */
import type { Model, Price } from "./model.ts"
import { faultUnless, type PlanFault } from "./plan-error.ts"

/** Faults of a model that a step asks. */
export const checkModel = (step: string, model: Model): ReadonlyArray<PlanFault> => [
  ...checkIdentity(step, model),
  ...checkTier(step, model),
  ...faultUnless(model.itemsPerMinute === undefined || (Number.isFinite(model.itemsPerMinute) && model.itemsPerMinute > 0), {
    step,
    problem: `model ${model.name} gets through ${model.itemsPerMinute} items a minute`,
    remedy: "give a number above 0, or leave itemsPerMinute out"
  }),
  ...(model.price === undefined ? [] : checkPrice(step, model.name, model.price)),
  ...(model.parameters === undefined ? [] : checkParameters(step, model, model.parameters))
]

const checkIdentity = (step: string, { name, account, engine, baseUrl }: Model): ReadonlyArray<PlanFault> => [
  ...faultUnless(name.trim() !== "" && account.trim() !== "", {
    step,
    problem: name.trim() === "" ? "a model has no name" : `model ${name} names no account`,
    remedy: 'write both: openai("gpt-5-mini", { account: "desk" })'
  }),
  ...faultUnless(engine !== "openai-compatible" || isHttp(baseUrl), {
    step,
    problem: `model ${name} has the baseUrl "${baseUrl}"`,
    remedy: 'say where the server listens: "http://localhost:8000/v1"'
  })
]

const isHttp = (url: string | undefined): boolean => url !== undefined && /^https?:\/\/[^\s/]+/.test(url)

const checkTier = (step: string, { name, engine, tier }: Model): ReadonlyArray<PlanFault> => [
  ...faultUnless(engine !== "local" || tier === "realtime", {
    step,
    problem: `the embedded model ${name} has no ${tier} tier`,
    remedy: "drop the tier"
  }),
  ...faultUnless(engine !== "openai-compatible" || tier === "realtime", {
    step,
    problem: `model ${name} is asked with tier "${tier}", and a server of its own has no batch tier`,
    remedy: "drop the tier"
  })
]

const checkPrice = (step: string, name: string, price: Price): ReadonlyArray<PlanFault> => {
  const { batchFactor, ...amounts } = price
  return [
    ...Object.entries(amounts).flatMap(([what, usd]) =>
      faultUnless(Number.isFinite(usd) && usd >= 0, {
        step,
        problem: `the price of model ${name} has ${what} ${usd}`,
        remedy: "give US dollars for a million tokens, at least 0: { inputUsd: 0.25, outputUsd: 2 }"
      })
    ),
    ...faultUnless(batchFactor === undefined || (batchFactor > 0 && batchFactor <= 1), {
      step,
      problem: `the price of model ${name} has batchFactor ${batchFactor}`,
      remedy: "give what the batch tier's price is multiplied by: above 0, at most 1"
    })
  ]
}

const words = (text: string): ReadonlyArray<string> => text.split(" ")

/** Fields of a request that nightshift writes itself; another value would break a digest, a bound or the reading of the answer. */
const ownFields = new Set([
  ...words("model messages input instructions system prompt previous_response_id conversation"),
  ...words("temperature max_tokens max_output_tokens max_completion_tokens n best_of modalities audio"),
  ...words("text response_format output_config stream background store")
])

/** Fields by which a provider charges another price than the table's. */
const pricedFields: Readonly<Record<string, (value: unknown) => boolean>> = {
  service_tier: (value) => !(["auto", "default", "flex", "standard_only"] as ReadonlyArray<unknown>).includes(value),
  speed: (value) => value !== "standard",
  inference_geo: (value) => value !== "global",
  tools: () => true,
  web_search_options: () => true
}

const checkParameters = (step: string, { name, price }: Model, parameters: Readonly<Record<string, unknown>>): ReadonlyArray<PlanFault> => {
  const fields = Object.entries(parameters)
  const dearer = fields.filter(([field, value]) => pricedFields[field]?.(value) === true).map(([field]) => field)
  return [
    ...faultUnless(isJson(parameters), {
      step,
      problem: `the parameters of model ${name} can't be sent as JSON`,
      remedy: "give plain data: texts, numbers, lists and objects of them"
    }),
    ...fields.flatMap(([field]) =>
      faultUnless(!ownFields.has(field), {
        step,
        problem: `the parameters of model ${name} set "${field}", which nightshift writes itself`,
        remedy: field in settings ? `set ${settings[field]} on the step` : "drop it"
      })
    ),
    ...faultUnless(dearer.length === 0 || price !== undefined, {
      step,
      problem: `the parameters of model ${name} set ${dearer.join(" and ")}, which the provider charges more for than the price table says`,
      remedy: "give the model its price: { inputUsd: 0.5, outputUsd: 4 }"
    })
  ]
}

const settings: Readonly<Record<string, string>> = {
  temperature: "temperature",
  max_tokens: "maxTokens",
  max_output_tokens: "maxTokens",
  max_completion_tokens: "maxTokens"
}

/** Whether what is sent is what was written: `undefined` and functions would be left out, an infinity would become null. */
const isJson = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  if (value === null || typeof value === "string" || typeof value === "boolean") return true
  if (typeof value !== "object") return false
  return Array.isArray(value) ? value.every(isJson) : isPlain(value) && Object.values(value).every(isJson)
}

const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null

/** A plan's DAG for people: an indented list, and a Mermaid flowchart. */
import type { Plan, PlannedStep } from "../../dsl/index.ts"
import { formatCount } from "./format.ts"

/** One line a step, below the step it reads; below the last of them where it reads several. */
export const stepList = (plan: Plan): string => {
  const order = new Map(plan.steps.map(({ name }, index) => [name, index]))
  const parentOf = ({ reads }: PlannedStep): string | undefined => reads.toSorted((a, b) => (order.get(b) ?? 0) - (order.get(a) ?? 0))[0]
  const under = (parent: string | undefined, before: string): ReadonlyArray<{ readonly title: string; readonly step: PlannedStep }> => {
    const children = plan.steps.filter((step) => parentOf(step) === parent)
    return children.flatMap((step, index) => {
      const isLast = index === children.length - 1
      const [own, below] = parent === undefined ? ["", ""] : isLast ? ["└─ ", "   "] : ["├─ ", "│  "]
      return [{ title: `${before}${own}${step.name}`, step }, ...under(step.name, before + below)]
    })
  }
  const lines = under(undefined, "")
  const width = Math.max(...lines.map(({ title }) => title.length))
  return lines
    .map(({ title, step }) =>
      `${title.padEnd(width)}  ${step.kind.padEnd(9)}  ${described(step)}${step.terminal ? "  ■ items end here" : ""}`.trimEnd()
    )
    .join("\n")
}

/** Paste it into any Markdown that draws Mermaid. */
export const mermaid = (plan: Plan): string =>
  [
    "flowchart TD",
    ...plan.steps.map((step) => `  ${nodeOf(step.name)}${shapeOf(step)}`),
    ...plan.steps.flatMap(({ name, reads }) => reads.map((read) => `  ${nodeOf(read)} --> ${nodeOf(name)}`))
  ].join("\n")

/** A step may be called `end`, which Mermaid keeps for itself. */
const nodeOf = (name: string): string => `s_${name}`

const shapeOf = (step: PlannedStep): string => {
  const text = [`<b>${step.name}</b>`, escaped(step.kind), ...(described(step) === "" ? [] : [escaped(described(step))])].join("<br/>")
  const [open, close] = shapes[step.kind]
  return `${open}"${text}"${close}`
}

const shapes: Readonly<Record<PlannedStep["kind"], readonly [string, string]>> = {
  source: ["[(", ")]"],
  partition: ["[[", "]]"],
  when: ["{", "}"],
  infer: ["(", ")"],
  validate: ["{{", "}}"],
  join: ["[/", "\\]"],
  aggregate: ["[\\", "/]"],
  report: [">", "]"]
}

const escaped = (text: string): string =>
  text.replaceAll("&", "#amp;").replaceAll('"', "#quot;").replaceAll("<", "#lt;").replaceAll(">", "#gt;").replaceAll("`", "#96;")

/** What a step does, in a few words. */
const described = (step: PlannedStep): string => {
  switch (step.kind) {
    case "source":
      return `${step.format} ${shortened(step.location)}`
    case "partition":
      return `${strategies[step.strategy]}${step.itemsMax === null ? "" : `, at most ${step.itemsMax} items each`}`
    case "when":
      return "lets some items through"
    case "infer":
      return inferText(step)
    case "validate":
      return step.rules.map(({ name, orElse }) => `${name} or ${verdicts[orElse.verdict]}`).join(", ")
    case "join":
      return step.branches.map((branch, index) => (branch === step.reads[index] ? branch : `${branch} = ${step.reads[index]}`)).join(", ")
    case "aggregate":
      return step.how === "query" ? "a query" : step.values.join(", ")
    case "report":
      return ""
  }
}

const strategies = { hash: "by a hash of the key", by: "by a field", tiers: "by size tiers", weight: "balanced by weight" } as const
const verdicts = { deadLetter: "dead letter", review: "review", flag: "flag", retry: "retry" } as const

const inferText = ({ models, overrides, maxTokens }: Extract<PlannedStep, { kind: "infer" }>): string =>
  [
    models.map(({ name, engine }) => `${name} (${engine === "local" ? "embedded" : engine})`).join(", then "),
    ...(maxTokens === null ? [] : [`at most ${formatCount(maxTokens)} tokens`]),
    ...(overrides.length === 0 ? [] : [`another model or prompt for ${overrides.map(({ label }) => label).join(", ")}`])
  ].join("; ")

const shortened = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ")
  return line.length > 70 ? `${line.slice(0, 69)}…` : line
}

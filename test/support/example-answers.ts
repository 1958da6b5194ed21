/** What the fake provider answers to the two paid examples: what a good model would, and some of what models get wrong. */
import type { Author } from "./fake-provider/answer.ts"

/** Undefined for prompts of other jobs: those are left to their schema. */
const exampleAnswers: Author = ({ model, prompt }) => {
  // The data of the item is last, unless the last answer was refused: then the refused answer follows.
  const [before = "", refused] = prompt.split("Your last answer was")
  const data = [...before.matchAll(/<data>([^]*?)<\/data>/g)].map(([, text = ""]) => text)
  const item = words(data.at(-1) ?? "")
  if (before.includes("You read supply contracts")) return contractAnswer(item, refused !== undefined)
  if (before.includes("You decide claims")) return claimAnswer(item, Number(data.at(-2)), model.includes("haiku"), refused !== undefined)
  return undefined
}
export default exampleAnswers

const words = (text: string): string => text.replace(/\s+/g, " ").trim()

interface Clause {
  readonly sign: RegExp
  readonly clause: string
  readonly risk: "medium" | "high"
  readonly reason: string
  readonly confidence: number
  /** Tells the clause in words of its own: `once`, or again when asked for the clause itself. */
  readonly misquotes?: "once" | "always"
}

/** Worst first. */
const clauses: ReadonlyArray<Clause> = [
  {
    sign: /Customer's liability under this agreement is unlimited/,
    clause: "liability",
    risk: "high",
    reason: "You would owe any damage in full, the supplier hardly any.",
    confidence: 0.94
  },
  {
    sign: /not liable for any loss/,
    clause: "liability",
    risk: "high",
    reason: "Whatever the supplier breaks, you bear the loss.",
    confidence: 0.95
  },
  {
    sign: /may not end this agreement during/,
    clause: "termination",
    risk: "high",
    reason: "You are bound for five years, whatever happens.",
    confidence: 0.91
  },
  {
    sign: /renews for thirty-six months/,
    clause: "renewal",
    risk: "high",
    reason: "Who misses the early date is bound for three more years.",
    confidence: 0.88
  },
  {
    sign: /for any purpose of its own/,
    clause: "data",
    risk: "high",
    reason: "The supplier may sell what you entrust to it.",
    confidence: 0.92
  },
  {
    sign: /interest of two per cent a day/,
    clause: "charges",
    risk: "high",
    reason: "A bill paid a month late costs more than half as much again.",
    confidence: 0.9
  },
  {
    sign: /hereinafter also the Provider/,
    clause: "liability",
    risk: "medium",
    reason: "The one thing a backup is for is not warranted.",
    confidence: 0.84,
    misquotes: "once"
  },
  {
    sign: /Notwithstanding anything above/,
    clause: "termination",
    risk: "medium",
    reason: "You may have to pay for a service that is switched off.",
    confidence: 0.86,
    misquotes: "always"
  },
  {
    sign: /twenty per cent of the fees/,
    clause: "liability",
    risk: "medium",
    reason: "The supplier hardly pays for what it breaks.",
    confidence: 0.81
  },
  {
    sign: /from time to time/,
    clause: "renewal",
    risk: "medium",
    reason: "Nobody can say on which terms it goes on.",
    confidence: 0.52
  },
  {
    sign: /adjusted as is reasonable/,
    clause: "charges",
    risk: "medium",
    reason: "Charges may rise, and what is reasonable is open.",
    confidence: 0.58
  },
  {
    sign: /in any country/,
    clause: "data",
    risk: "medium",
    reason: "Your data may be where other laws hold.",
    confidence: 0.64
  }
]

const contractAnswer = (contract: string, isAskedAgain: boolean) => {
  const found = clauses.find(({ sign }) => sign.test(contract))
  if (found === undefined) return { risk: "low", clause: "none", evidence: "", reason: "All clauses are as usual.", confidence: 0.96 }
  const { sign, misquotes, ...answer } = found
  const sentence = (contract.match(/[^.]+\./g) ?? []).find((sentence) => sign.test(sentence))?.trim() ?? ""
  const isMisquoted = misquotes === "always" || (misquotes === "once" && !isAskedAgain)
  return {
    ...answer,
    evidence: isMisquoted ? sentence.replace("is not liable", "isn't liable").replace("may suspend", "can suspend") : sentence
  }
}

type Decided = readonly [decision: "pay" | "decline" | "ask", section: string, confidence: number]

/** Of the small model; what it isn't sure of is in `secondThoughts` too. */
const firstThoughts: ReadonlyArray<readonly [RegExp, Decided, payable?: number]> = [
  [/Flames burnt/, ["pay", "2.1", 0.95]],
  [/Left the iron/, ["decline", "2.1", 0.9]],
  [/Hail smashed/, ["pay", "2.2", 0.92]],
  [/open for the cat/, ["decline", "2.2", 0.93]],
  [/The creek/, ["decline", "3.2", 0.96]],
  [/hose of the dishwasher/, ["pay", "2.3", 0.94]],
  [/coats are mouldy/, ["decline", "3.3", 0.89]],
  [/back door with a bar/, ["pay", "2.4", 0.96]],
  [/not been to the police/, ["ask", "6.2", 0.9]],
  [/open carport/, ["decline", "3.4", 0.92]],
  [/Electric bicycle/, ["pay", "2.4", 0.9], 1_200],
  [/mirror in the hall/, ["pay", "2.5", 0.97]],
  [/threw a ball/, ["decline", "3.5", 0.94]],
  [/delivery van/, ["pay", "2.6", 0.95]],
  // Declined and paid at once, and not mended when asked to.
  [/possum/, ["decline", "3.6", 0.88], 200],
  [/microwave/, ["pay", "2.7", 0.93]],
  [/fifteen years old/, ["decline", "2.7", 0.94]],
  [/eleven hours/, ["pay", "2.8", 0.92], 380],
  [/two hours, ice cream/, ["decline", "2.8", 0.95]],
  [/both refrigerators/, ["pay", "2.8", 0.9], 400],
  [/tumble dryer/, ["decline", "3.1", 0.96]],
  [/dog chewed/, ["decline", "3.6", 0.95]],
  [/gold necklace/, ["pay", "2.4", 0.9], 2_500],
  [/lost my watch/, ["decline", "3.5", 0.93]],
  [/only got round/, ["decline", "6.1", 0.91]],
  [/bath upstairs/, ["pay", "2.3", 0.9]],
  [/Drone/, ["decline", "3.9", 0.92]],
  [/Tools taken/, ["pay", "2.4", 0.93], 1_000],
  [/bus stop/, ["pay", "2.4", 0.89]],
  [/library table/, ["decline", "3.4", 0.9]],
  [/glass shelf/, ["pay", "2.15", 0.9]],
  [/bush fire/, ["pay", "2.1", 0.91]],
  [/parked car rolled/, ["pay", "2.6", 0.92]],
  [/floor of the cellar/, ["pay", "2.3", 0.55]],
  [/washing machine leaked/, ["decline", "3.3", 0.6]],
  [/furniture and cupboards/, ["pay", "2.1", 0.7]],
  [/mattress/, ["pay", "2.2", 0.75]],
  [/scratched the piano/, ["pay", "2.9", 0.5]],
  [/Lightning struck/, ["pay", "2.1", 0.8]],
  [/while we slept/, ["decline", "3.4", 0.82]]
]

/** Of the large model, and of the small one once its section was refused. */
const secondThoughts: ReadonlyArray<readonly [RegExp, Decided, payable?: number]> = [
  [/glass shelf/, ["pay", "2.5", 0.93]],
  [/floor of the cellar/, ["ask", "2.3", 0.58]],
  [/washing machine leaked/, ["ask", "7.6", 0.66]],
  [/furniture and cupboards/, ["ask", "5.5", 0.93]],
  [/mattress/, ["pay", "2.2", 0.91], 335],
  [/scratched the piano/, ["ask", "2.9", 0.61]],
  [/Lightning struck/, ["pay", "2.1", 0.9]],
  [/while we slept/, ["decline", "3.4", 0.94]]
]

const claimAnswer = (claim: string, claimed: number, isSmall: boolean, isAskedAgain: boolean) => {
  const thoughts = isSmall && !isAskedAgain ? firstThoughts : [...secondThoughts, ...firstThoughts]
  const found = thoughts.find(([sign]) => sign.test(claim))
  if (found === undefined) return undefined
  const [, [decision, section, confidence], told] = found
  const payable = told ?? (decision === "pay" ? claimed - 150 : 0)
  return { decision, section, payable, reason: reasons[decision](section), confidence }
}

const reasons = {
  pay: (section: string) => `Section ${section} covers what happened, so we pay it within its limits.`,
  decline: (section: string) => `We are sorry: section ${section} does not let us pay for this.`,
  ask: (section: string) => `Before we can decide under section ${section}, please tell us more about how it happened.`
} as const

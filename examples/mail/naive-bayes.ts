/** Naive Bayes for two topics: counts words while it learns, weighs them when asked, and is honest about how sure it is. */
import type { Topic } from "./parse-mail.ts"

/** What is known of one mail: the words in it, and what it is. */
export interface Lesson {
  readonly words: ReadonlySet<string>
  readonly topic: Topic
}

export interface Answer {
  readonly topic: Topic
  /** From 0.5 (can't tell) to 1: of the answers given with 0.9, about 90 % are right. */
  readonly confidence: number
}

/** Needs lessons of both topics, or throws. The same lessons in the same order give the same classifier. */
export const learn = (lessons: ReadonlyArray<Lesson>): ((words: ReadonlySet<string>) => Answer) => {
  const spam = lessons.filter(({ topic }) => topic === "spam").length
  if (spam === 0 || spam === lessons.length) {
    throw new Error(`A classifier learns from mails of both topics; these are ${spam} spam and ${lessons.length - spam} ham.`)
  }
  const evidence = weigh(lessons)
  const probability = calibrate(foldsOf(lessons).flatMap(({ learned, held }) => examine(weigh(learned), held)))
  return (words) => {
    const spamminess = probability(evidence(words))
    return spamminess >= 0.5 ? { topic: "spam", confidence: spamminess } : { topic: "ham", confidence: 1 - spamminess }
  }
}

/** Above zero speaks for spam, below for ham. */
type Evidence = (words: ReadonlySet<string>) => number

/** A word counts by how much more often it comes in spam than in ham; one that was never seen says nothing. */
const weigh = (lessons: ReadonlyArray<Lesson>): Evidence => {
  const counts = { spam: new Map<string, number>(), ham: new Map<string, number>() }
  const totals = { spam: 0, ham: 0 }
  for (const { words, topic } of lessons) {
    totals[topic] += words.size
    for (const word of words) counts[topic].set(word, (counts[topic].get(word) ?? 0) + 1)
  }
  const vocabulary = new Set([...counts.spam.keys(), ...counts.ham.keys()])
  // Half a sighting more for every word: one that came in spam only once is no proof of spam.
  const share = (word: string, topic: Topic) => ((counts[topic].get(word) ?? 0) + 0.5) / (totals[topic] + 0.5 * vocabulary.size)
  const weights = new Map([...vocabulary].map((word) => [word, Math.log(share(word, "spam") / share(word, "ham"))]))

  return (words) => {
    const known = [...words].flatMap((word) => weights.get(word) ?? [])
    // The words of a mail repeat each other. Adding them up as if they didn't would make every long mail certain.
    return known.reduce((sum, weight) => sum + weight, 0) / Math.sqrt(known.length + 1)
  }
}

interface Fold {
  readonly learned: ReadonlyArray<Lesson>
  readonly held: ReadonlyArray<Lesson>
}

/** Each lesson is held back once, in turn: a classifier is too sure of what it learned from. */
const foldsOf = (lessons: ReadonlyArray<Lesson>, folds = 5): ReadonlyArray<Fold> =>
  Array.from({ length: folds }, (_, fold) => ({
    learned: lessons.filter((_lesson, index) => index % folds !== fold),
    held: lessons.filter((_lesson, index) => index % folds === fold)
  }))

interface Mark {
  readonly score: number
  readonly isSpam: boolean
}

const examine = (evidence: Evidence, held: ReadonlyArray<Lesson>): ReadonlyArray<Mark> =>
  held.map(({ words, topic }) => ({ score: evidence(words), isSpam: topic === "spam" }))

/** From evidence to the probability of spam: a logistic curve laid through the marks (Platt scaling), by walking down its error. */
const calibrate = (marks: ReadonlyArray<Mark>): ((score: number) => number) => {
  const spam = marks.filter(({ isSpam }) => isSpam).length
  // Never quite 1 or 0: a few lessons without a mistake don't promise that there will be none.
  const target = { spam: (spam + 1) / (spam + 2), ham: 1 / (marks.length - spam + 2) }
  // The longest step that can't overshoot, as the error curves no more than this.
  const stride = 4 / (1 + mean(marks, ({ score }) => score * score))
  let slope = 0
  let offset = 0
  for (let step = 0; step < 2_000; step++) {
    const miss = ({ score, isSpam }: Mark) => logistic(slope * score + offset) - (isSpam ? target.spam : target.ham)
    const [tilt, shift] = [mean(marks, (mark) => miss(mark) * mark.score), mean(marks, miss)]
    slope -= stride * tilt
    offset -= stride * shift
  }
  return (score) => logistic(slope * score + offset)
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

const mean = <A>(values: ReadonlyArray<A>, of: (value: A) => number): number =>
  values.reduce((sum, value) => sum + of(value), 0) / values.length

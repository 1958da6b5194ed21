/** What a new run is called. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** `<job>-<date>-<time>-<four characters>`, in UTC: names sort as runs began. */
export const runName = (job: string, now: Date): Effect.Effect<string> =>
  Effect.map(suffix, (end) => `${job}-${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}-${end}`)

/** Four characters that are hard to confuse: two runs of one second differ. */
const suffix = Effect.map(Random.nextIntBetween(0, 32 ** 4), (number) => {
  const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
  return [0, 1, 2, 3].map((place) => alphabet[Math.floor(number / 32 ** place) % 32]).join("")
})

/** `npm run simulate -- --nights N --seed S [--items M]`: plays nights from consecutive seeds, on all cores; exits 0 only if none is violated. */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

import { playNight } from "./play.ts"
import { tellScript } from "./script.ts"

const { values } = parseArgs({
  options: {
    nights: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    items: { type: "string", default: "1000" }
  }
})
const whole = (name: "nights" | "seed" | "items"): number => {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  console.error(`--${name} is ${values[name]}: give a whole number of at least 1`)
  process.exit(2)
}
const nights = whole("nights")
const first = whole("seed")
const itemsMax = whole("items")

/** The nights of one process: each prints what it violates. */
const playAll = (from: number, to: number): number => {
  let violated = 0
  for (let seed = from; seed < to; seed++) {
    const { violations, script } = playNight({ seed, itemsMax })
    if (violations.length === 0) continue
    violated++
    console.log(
      `Night ${seed}: ${violations.slice(0, 5).join("; ")}\n  ${tellScript(script)}\n  again: npm run simulate -- --nights 1 --seed ${seed}`
    )
  }
  return violated
}

if (process.send !== undefined) {
  process.send(playAll(first, first + nights))
  process.disconnect()
} else {
  const workers = Math.min(availableParallelism(), Math.ceil(nights / 50))
  const share = Math.ceil(nights / workers)
  const violated =
    workers <= 1
      ? [playAll(first, first + nights)]
      : await Promise.all(
          Array.from({ length: workers }, (_, index) => {
            const from = first + index * share
            const args = [
              "--nights",
              String(Math.max(1, Math.min(share, first + nights - from))),
              "--seed",
              String(from),
              "--items",
              String(itemsMax)
            ]
            return new Promise<number>((resolve) => {
              const child = fork(fileURLToPath(import.meta.url), args)
              let found = Number.NaN
              child.on("message", (count) => (found = Number(count)))
              child.on("exit", () => resolve(found))
            })
          })
        )
  const sum = violated.reduce((total, count) => total + count, 0)
  console.log(`${nights} nights, ${Number.isNaN(sum) ? "unknown" : sum} violations`)
  process.exitCode = sum === 0 ? 0 : 1
}

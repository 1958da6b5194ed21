#!/usr/bin/env -S node --max-semi-space-size=16 --heap-growing-percent=50
// The flag bounds V8's nursery, which by itself grows to hold 150 MB of short-lived items; it can't be set once V8 has started.
// Plain JS that old Nodes parse too: it finds a Node that can strip types, then starts the command.
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import * as module from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))

/** 22.19 strips types without a flag and has `registerHooks`; so has 23.6, but not the releases of 23 before it. */
const isNewEnough = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 19)
}

if (isNewEnough(process.versions.node)) {
  await start()
} else {
  const node = findNode(process.cwd()) || findNode(here)
  if (node === undefined) refuse()
  else rerun(node)
}

/** Starts the command in this process: from source in a checkout, else from dist/ (Node strips nothing under node_modules). */
async function start() {
  // Both are conveniences: the cache halves the start, and the warning about stripped types says nothing to an operator.
  module.enableCompileCache?.()
  silenceTypeStripping()
  const isCheckout = !here.includes("node_modules") && existsSync(join(here, "../runtime/main.ts"))
  const [root, ext] = isCheckout ? ["..", "ts"] : ["../dist", "js"]
  // A job's "nightshift" must be the dsl that the command itself uses, wherever the job's own node_modules would lead.
  const door = new URL(`${root}/dsl/index.${ext}`, import.meta.url).href
  module.registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === "nightshift") return { url: door, shortCircuit: true }
      try {
        return next(specifier, context)
      } catch (error) {
        // A job that `init` has just written imports effect too, and nothing is installed beside it yet.
        if (error.code !== "ERR_MODULE_NOT_FOUND" || !/^effect(\/|$)/.test(specifier)) throw error
        return next(specifier, { ...context, parentURL: import.meta.url })
      }
    }
  })
  await import(`${root}/runtime/main.${ext}`)
}

function silenceTypeStripping() {
  const emit = process.emitWarning
  process.emitWarning = (warning, ...rest) => {
    if (!String(warning).startsWith("Type Stripping is an experimental feature")) emit.call(process, warning, ...rest)
  }
}

/** The binary of the npm package `node` in the nearest node_modules above `folder` that has a new enough one. */
function findNode(folder) {
  const home = join(folder, "node_modules/node")
  const binary = join(home, "bin/node")
  if (existsSync(binary) && isNewEnough(JSON.parse(readFileSync(join(home, "package.json"), "utf8")).version)) return binary
  return dirname(folder) === folder ? undefined : findNode(dirname(folder))
}

function refuse() {
  console.error(
    `nightshift needs Node 22.19 or newer and this is Node ${process.versions.node}: type \`npm i -D node@24\` here and try again.`
  )
  process.exit(2)
}

function rerun(node) {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], { stdio: "inherit" })
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"]
  for (const signal of signals) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group, so the child has it already: a second one would mean "at once".
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on("error", (error) => {
    console.error(`nightshift could not start ${node}: ${error.message}`)
    process.exit(1)
  })
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code)
    for (const each of signals) process.removeAllListeners(each)
    process.kill(process.pid, signal)
  })
}

/**
 * The arrows of the tree as a lint rule: cli → schedule → execute → { guard, provider, source, store, report, notify } → dsl.
 * A folder may import the folders listed for it and itself, nothing else. Type imports count: a type is a dependency too.
 */
import { dirname, relative, resolve, sep } from "node:path"

const leaves = ["guard", "provider", "source", "store", "report", "notify"].map((name) => `runtime/${name}`)

/** Folder → the folders it may import. `runtime/` itself holds the composition root, so only the tests may import from it. */
const allowed = {
  dsl: [],
  ...Object.fromEntries(leaves.map((leaf) => [leaf, ["dsl"]])),
  "runtime/execute": [...leaves, "dsl"],
  "runtime/schedule": ["runtime/execute", ...leaves, "dsl"],
  "runtime/cli": ["runtime/schedule", "runtime/execute", ...leaves, "dsl"],
  runtime: ["runtime/cli", "runtime/schedule", "runtime/execute", ...leaves, "dsl"],
  jobs: [],
  examples: []
}

/** State is SQL in runtime/store alone; a source runs the author's own query. Types are free, since they leave no SQL behind. */
const owners = { "@duckdb/node-api": ["runtime/store", "runtime/source"], kysely: ["runtime/store"] }
const dslPackages = ["effect", "kysely", "@noble/hashes"]
/** Their index files load hundreds of modules, a quarter of a second at every start of the command. */
const barrels = ["effect", "@effect/platform-node"]

const folderOf = (root, path) => {
  const [top, below, file] = relative(root, path).split(sep)
  return top === "runtime" && file !== undefined ? `runtime/${below}` : top
}

const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")

/** The sentence for a wrong import, or undefined for a right one. */
const judge = ({ root, file, specifier, isType }) => {
  const from = folderOf(root, file)
  if (from.startsWith("runtime/") && !(from in allowed)) {
    return `${from} has no place among the arrows: give it one in .oxlint/arrows.js`
  }
  if (!(from in allowed)) return undefined
  if (specifier.startsWith(".")) return judgeFolder(from, folderOf(root, resolve(dirname(file), specifier)))
  return judgePackage(from, specifier, isType)
}

const judgeFolder = (from, to) => {
  if (to === from || allowed[from].includes(to)) return undefined
  if (from === "jobs" || from === "examples") return `${from} may not import ${to}: import "nightshift" instead`
  return `${from} may not import ${to}`
}

const judgePackage = (from, specifier, isType) => {
  const name = packageOf(specifier)
  if (from === "jobs" || from === "examples") {
    return name === "nightshift" && specifier !== name ? `${from} may import "nightshift" only by its front door` : undefined
  }
  if (name === "nightshift") return `${from} may not import "nightshift": import dsl/ by its path`
  if (from === "dsl" && !dslPackages.includes(name)) return `dsl may not import "${name}": it is data, without a clock or I/O`
  if (isType) return undefined
  if (name in owners && !owners[name].includes(from)) return `${from} may not import "${name}": SQL belongs in ${owners[name][0]}`
  if (barrels.includes(specifier)) return `"${specifier}" is slow to load: import a module of it, such as "${specifier}/…"`
  return undefined
}

/** True when nothing of the import is left after the types are stripped. */
const isTypeOnly = (node) =>
  node.type === "TSImportType" ||
  node.importKind === "type" ||
  node.exportKind === "type" ||
  (node.specifiers?.length > 0 && node.specifiers.every((one) => one.importKind === "type" || one.exportKind === "type"))

export const arrows = {
  meta: { type: "problem", schema: [] },
  create(context) {
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== "string") return
      const message = judge({ root: context.cwd, file: context.filename, specifier, isType: isTypeOnly(node) })
      if (message !== undefined) context.report({ node: node.source, message })
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check
    }
  }
}

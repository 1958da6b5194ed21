/**
 * `any` as a wildcard of the DSL's types, where `unknown` would not match for reasons of variance: an argument of a
 * generic (`Rows<any, Item>`) or the pattern of a conditional type. Anywhere else it would switch the checker off.
 */
const isWildcard = (node, child) =>
  node.type === "TSTypeParameterInstantiation" || (node.type === "TSConditionalType" && node.extendsType === child)

export const wildcard = {
  meta: { type: "problem", schema: [] },
  create: (context) => ({
    TSAnyKeyword(node) {
      for (let child = node, parent = node.parent; parent; child = parent, parent = parent.parent) {
        if (isWildcard(parent, child)) return
      }
      context.report({ node, message: "`any` is for the wildcard of a generic type only: say `unknown`, or the type" })
    }
  })
}

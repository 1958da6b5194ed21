/** `new Date()` reads the machine's clock, which neither a test nor a replayed night can hold still; `new Date(millis)` is fine. */
export const clock = {
  meta: { type: "problem", schema: [] },
  create: (context) => ({
    NewExpression(node) {
      if (node.callee.type !== "Identifier" || node.callee.name !== "Date" || node.arguments.length > 0) return
      context.report({ node, message: "`new Date()` reads the machine's clock: take the time from effect's Clock" })
    }
  })
}

/** The house rules that oxlint has no rule of its own for. */
import { arrows } from "./arrows.js"
import { clock } from "./clock.js"
import { wildcard } from "./wildcard.js"

export default { meta: { name: "nightshift" }, rules: { arrows, clock, wildcard } }

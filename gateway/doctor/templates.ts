// Texts with substitution templates, before any message has come: what is fixed in them, and what they may become.
import { GatewayError, textOf } from '../errors.ts'
import { parseTemplateExpression } from '../rules/sql/parse.ts'
import { compileTemplate } from '../rules/sql/template.ts'
import type { CheckedRule } from './estate.ts'

/** Why a text with templates does not compile in its rule; undefined when it does. */
export function templateProblem(text: string, { statement }: Pick<CheckedRule, 'statement'>): string | undefined {
  try {
    compileTemplate(text, { statement })
    return undefined
  } catch (error) {
    return textOf(error)
  }
}

/** What stands around the templates: `a-${x}-b` is `['a-', '-b']`. One that does not parse takes the rest with it. */
export function fixedParts(text: string): readonly string[] {
  const parts: string[] = []
  let from = 0
  for (let open = text.indexOf('${'); open !== -1; open = text.indexOf('${', from)) {
    parts.push(text.slice(from, open))
    from = endOf(text, open)
  }
  return [...parts, text.slice(from)]
}

function endOf(text: string, open: number): number {
  try {
    return parseTemplateExpression(text, open + 2).end
  } catch (error) {
    if (error instanceof GatewayError) return text.length
    throw error
  }
}

/** Whatever the text may become. */
export function patternOf(text: string): RegExp {
  const literal = (part: string) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${fixedParts(text).map(literal).join('.*')}$`, 's')
}

/** A character, any text, or any text within a level. */
type Token = string | symbol
const anything = Symbol('#')
const anyLevel = Symbol('+')

/** Whether some topic that the text may become is covered by the filter. */
export function mayMatch(text: string, filter: string): boolean {
  const topic = fixedParts(text).flatMap((part, index): Token[] => (index === 0 ? [...part] : [anything, ...part]))
  // [MQTT-4.7.2-1]
  if (topic[0] === '$' && /^[+#]/.test(filter)) return false
  const wanted = [...filter].map((character): Token => (character === '#' ? anything : character === '+' ? anyLevel : character))
  return overlap(topic, wanted)
}

/** Whether two patterns have a text in common; each pair of places is looked at once. */
function overlap(a: readonly Token[], b: readonly Token[]): boolean {
  const failed = new Set<number>()
  const from = (i: number, j: number): boolean => {
    if (i === a.length && j === b.length) return true
    const at = i * (b.length + 1) + j
    if (failed.has(at)) return false
    const [x, y] = [a[i], b[j]]
    const meets =
      (typeof x === 'symbol' && (from(i + 1, j) || (y !== undefined && takes(x, y) && from(i, j + 1)))) ||
      (typeof y === 'symbol' && (from(i, j + 1) || (x !== undefined && takes(y, x) && from(i + 1, j)))) ||
      (typeof x === 'string' && x === y && from(i + 1, j + 1))
    if (!meets) failed.add(at)
    return meets
  }
  return from(0, 0)
}

const takes = (wildcard: symbol, token: Token) => wildcard === anything || token !== '/'

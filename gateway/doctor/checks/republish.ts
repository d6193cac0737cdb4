// What republish can do wrong: topics nobody may publish on, and circles of rules that never end and are billed for ever.
import { quotas } from '../../access/quotas.ts'
import { topicProblem } from '../../access/topics.ts'
import { isTemplate } from '../../actions/params.ts'
import { actionsIn, type PlacedAction } from '../actions.ts'
import type { CheckTable } from '../check.ts'
import type { CheckedRule, Estate } from '../estate.ts'
import { fixedParts, mayMatch } from '../templates.ts'

const bounds = { topicBytes: quotas.topicBytes.value, topicSlashes: quotas.topicSlashes.value }
const jobs = /^\$\$aws\/things\/[^/]+\/jobs(\/|$)/

type Republish = PlacedAction & { readonly topic: string }

function republishing(estate: Pick<Estate, 'rules'>): readonly Republish[] {
  return actionsIn(estate).flatMap((action) => (action.entry.republish ? [{ ...action, topic: action.entry.republish.topic }] : []))
}

const place = ({ rule, at }: Republish) => ({ file: rule.path, field: `${at}.republish.topic` })

export const republishChecks = {
  'republish-reserved': {
    severity: 'error',
    means: 'a republish to a reserved topic that AWS refuses',
    fix: 'begin a reserved topic with $$; topics of jobs are refused in any case',
    *find(estate) {
      for (const action of republishing(estate)) {
        const { topic } = action
        if (jobs.test(topic)) yield { ...place(action), text: `nobody may republish to a topic of jobs, such as ${topic}` }
        else if (/^\$(?![${])/.test(topic)) yield { ...place(action), text: `${topic} is a reserved topic; write $${topic}` }
      }
    },
  },
  'republish-topic': {
    severity: 'error',
    means: 'a republish to what is no topic: wildcards, or beyond 7 slashes or 256 bytes',
    fix: 'name one topic, with templates in place of wildcards',
    *find(estate) {
      for (const action of republishing(estate)) {
        // A template counts for nothing: only its levels are known.
        const topic = fixedParts(action.topic).join('x')
        const problem = topic.startsWith('$') ? undefined : topicProblem(topic, bounds)
        if (problem) yield { ...place(action), text: `${action.topic}: ${problem}` }
      }
    },
  },
  'republish-loop': {
    severity: 'error',
    means: 'rules that feed each other in a circle, with nothing to stop it: AWS runs it for ever, and bills it',
    fix: 'republish on topics that no FROM in the circle covers',
    find: (estate) => loops(estate, false),
  },
  'republish-loop-possible': {
    severity: 'warning',
    means: 'rules that may feed each other in a circle, unless a WHERE or the value of a template stops it',
    fix: 'republish on topics that no FROM in the circle covers',
    find: (estate) => loops(estate, true),
  },
} as const satisfies CheckTable

/** One for each rule that stands in a circle; `guarded` ones have a WHERE or a template on every way round. */
function* loops(estate: Estate, guarded: boolean) {
  const enabled = estate.rules.filter(({ file }) => !file.ruleDisabled)
  const actions = republishing({ rules: enabled })
  const feeds = ({ topic }: Republish, { statement: { filter } }: CheckedRule) =>
    filter !== undefined && mayMatch(topic.replace(/^\$\$/, '$'), filter)
  const isSure = (action: Republish) => action.rule.statement.tree.select.where === undefined && !isTemplate(action.topic)
  const circleOf = (start: CheckedRule, allowed: (action: Republish) => boolean) => {
    const seen = new Set<CheckedRule>()
    const todo = [start]
    for (let rule = todo.pop(); rule; rule = todo.pop()) {
      for (const action of actions) {
        if (action.rule !== rule || !allowed(action)) continue
        for (const next of enabled.filter((candidate) => feeds(action, candidate))) {
          if (next === start) return true
          if (seen.has(next)) continue
          seen.add(next)
          todo.push(next)
        }
      }
    }
    return false
  }
  for (const action of actions) {
    const certain = circleOf(action.rule, isSure)
    const reaches = certain || circleOf(action.rule, () => true)
    if (!reaches || certain === guarded) continue
    yield { ...place(action), text: `what ${action.rule.file.name} publishes on ${action.topic} comes back to it` }
  }
}

// Translates an action of AWS::IoT::TopicRule to the action of a rule file that does the same in the gateway.
import type { Properties } from '../actions/action.ts'
import { type ActionName, actionNames, actions } from '../actions/index.ts'

/** The metadata key of a rule that holds, by index, the actions to run here instead of those in the template. */
export const localActions = 'weir:actions'

/** An entry of a rule file's `actions`, or why the gateway cannot run the action. */
export type Translated = { readonly action: Properties } | { readonly unsupported: string }

/** By the name in CloudFormation. */
const names: ReadonlyMap<string, ActionName> = new Map(actionNames.map((name) => [actions[name].fromCloudFormation.name, name]))

/** `instead`: what the rule's metadata holds for this action. */
export function translateAction(entry: Properties, instead: unknown): Translated {
  if (typeof instead === 'object' && instead !== null) return { action: { ...instead } }
  const [written = '', properties] = Object.entries(entry)[0] ?? []
  const name = names.get(written)
  if (name === undefined) return { unsupported: `the action ${written} is not run here; ${[...names.keys()].join(', ')} are` }
  const params = actions[name].fromCloudFormation.params((properties ?? {}) as Properties)
  return typeof params === 'string' ? { unsupported: params } : { action: { [name]: params } }
}

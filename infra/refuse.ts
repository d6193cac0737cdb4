// The sentence for what a rule file may say here and AWS cannot do.
import { GatewayError } from '../gateway/errors.ts'
import type { RuleFile } from '../gateway/rules/rule-file.ts'

/** `rule telemetry: actions[0]: sqs.pack: … ; leave it out of rules that are deployed` */
export function refuse(
  { rule, at }: { readonly rule: Pick<RuleFile, 'name'>; readonly at: string },
  what: string,
  why: string,
): GatewayError {
  return new GatewayError('RULE_INVALID', `rule ${rule.name}: ${at}: ${what} cannot be deployed: ${why}`)
}

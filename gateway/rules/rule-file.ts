// One rule as people write it: AWS's topic-rule payload plus its name, so that the same file runs here and deploys there.
import { z } from 'zod'
import { actionSchema } from '../actions/index.ts'

/** Limits and names as in `CreateTopicRule` [AWS iot API TopicRulePayload]. */
export const ruleFileSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-zA-Z0-9_]{1,128}$/, 'a rule name has 1 to 128 letters, digits and underscores')
    .describe('name of the rule, also in `$aws/rules/<name>/…`'),
  description: z.string().optional().describe('for people'),
  sql: z
    .union([z.string(), z.array(z.string())])
    .transform((sql) => (typeof sql === 'string' ? sql : sql.join('\n')))
    .describe('the statement; a list is joined with line breaks'),
  ruleDisabled: z.boolean().default(false).describe('true: the rule is checked and not run'),
  awsIotSqlVersion: z
    .enum(['2015-10-08', '2016-03-23', 'beta'])
    .default('2015-10-08')
    .describe("SQL version; AWS's own default is the oldest"),
  actions: z.array(actionSchema).max(10).describe('what to do with the result; at most 10'),
  errorAction: actionSchema.optional().describe('what to do with a message that an action failed on'),
})

export type RuleFile = z.infer<typeof ruleFileSchema>

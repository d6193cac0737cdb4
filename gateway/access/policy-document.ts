// The shape of an AWS IoT policy document, with a sentence for everything AWS would refuse.
import { z } from 'zod'
import { parseAs } from '../../lib/problems.ts'
import { invalidConfig } from '../errors.ts'
import { conditionProblem } from './conditions.ts'

/** Characters without white space [AWS iot-core quotas]. */
const maxDocumentCharacters = 2_048

const oneOrMany = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1, 'list at least one')])

const action = z
  .string()
  .regex(/^(\*|[\w*?-]+:[\w*?]+)$/, 'expected an action such as iot:Publish, iot:* or *')
  .describe('an action; * and ? are wildcards, case does not matter')

const resource = z
  .string()
  .regex(/^(\*|arn:.+)$/s, 'expected * or an ARN such as arn:aws:iot:us-east-1:123456789012:topic/a/b')
  .describe('an ARN; * and ? are wildcards, ${…} a variable')

const conditionValue = z.union([z.string(), z.number(), z.boolean()])
const conditions = z.record(z.string(), z.record(z.string(), z.union([conditionValue, z.array(conditionValue)])))

const statement = z
  .strictObject({
    Sid: z.string().optional().describe('a name for people'),
    Effect: z.enum(['Allow', 'Deny']).describe('Deny always wins'),
    Action: oneOrMany(action).optional(),
    NotAction: oneOrMany(action).optional(),
    Resource: oneOrMany(resource).optional(),
    NotResource: oneOrMany(resource).optional(),
    Condition: conditions.optional().describe('operator → key → values; all must hold'),
  })
  .superRefine((value, context) => {
    const report = (path: readonly PropertyKey[], message: string) => context.addIssue({ code: 'custom', path: [...path], message })
    for (const [yes, no] of [
      ['Action', 'NotAction'],
      ['Resource', 'NotResource'],
    ] as const) {
      if ((value[yes] === undefined) === (value[no] === undefined)) report([], `expected either ${yes} or ${no}`)
    }
    for (const [operator, tests] of Object.entries(value.Condition ?? {})) {
      for (const [key, values] of Object.entries(tests)) {
        const problem = conditionProblem(operator, textsOf(values))
        if (problem) report(['Condition', operator, key], problem)
      }
    }
  })

export const policyDocumentSchema = z
  .strictObject({
    Version: z.literal('2012-10-17', { error: 'expected "2012-10-17"; in older versions variables are not replaced' }),
    Id: z.string().optional(),
    Statement: oneOrMany(statement),
  })
  .refine((document) => JSON.stringify(document).replace(/\s/g, '').length <= maxDocumentCharacters, {
    message: `a policy may have ${maxDocumentCharacters} characters at most, white space not counted`,
  })

export type PolicyDocument = z.infer<typeof policyDocumentSchema>
export type PolicyStatement = z.infer<typeof statement>

/** One or many, as many. */
export const listOf = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T]

/** Condition values may be written as JSON numbers and booleans. */
export const textsOf = (values: z.infer<typeof conditionValue> | readonly z.infer<typeof conditionValue>[]): readonly string[] =>
  listOf(values).map(String)

/** A parsed JSON value as a policy. Throws CONFIG_INVALID with one sentence per problem, each beginning with `name`. */
export function parsePolicyDocument(value: unknown, name: string): PolicyDocument {
  return parseAs(policyDocumentSchema, value, name, invalidConfig)
}

// Functions that call another service. The language only knows their names: what answers is handed in, and without it a rule is refused.
import type { Scope } from './scope.ts'
import type { Value } from './value.ts'

/** Answers one external function. May throw: the rule then fails, unless get_or_default stands around the call [AWS iot-sql-functions]. */
export type Resolver = (args: readonly Value[], scope: Scope) => Value

interface ExternalFunction {
  readonly params: string
  readonly arity: readonly [number, number]
  readonly summary: string
  readonly since?: '2016-03-23'
  readonly perStatement?: number
  readonly star?: true
}

export const externalFunctions = {
  aws_lambda: { params: 'functionArn, inputJson', arity: [2, 2], summary: 'The JSON answer of a Lambda function.', star: true },
  get_dynamodb: {
    params: 'table, keyName, keyValue [, sortKeyName, sortKeyValue], roleArn',
    arity: [4, 6],
    summary: 'An item of a DynamoDB table, by its key.',
    since: '2016-03-23',
    perStatement: 1,
  },
  get_registry_data: {
    params: 'api, thingName, roleArn',
    arity: [3, 3],
    summary: 'What the thing registry knows: DescribeThing or ListThingGroupsForThing.',
    since: '2016-03-23',
    perStatement: 1,
  },
  get_secret: { params: 'secretId, secretType [, key], roleArn', arity: [3, 4], summary: 'The current version of a secret.' },
  get_thing_shadow: {
    params: 'thingName [, shadowName], roleArn',
    arity: [2, 3],
    summary: 'The shadow document of a thing.',
    since: '2016-03-23',
  },
  machinelearning_predict: {
    params: 'modelId, roleArn, record',
    arity: [3, 3],
    summary: 'A prediction of Amazon Machine Learning.',
    star: true,
  },
} as const satisfies Readonly<Record<string, ExternalFunction>>

export type ExternalName = keyof typeof externalFunctions
export type Resolvers = Readonly<Partial<Record<ExternalName, Resolver>>>
export const externalNames: ReadonlySet<string> = new Set(Object.keys(externalFunctions))

export function isExternal(name: string): name is ExternalName {
  return externalNames.has(name)
}

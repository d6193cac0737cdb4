// The scenario's schema for editors: what a file may say, with every description.
import { z } from 'zod'
import { scenarioSchema } from './scenario.ts'

export function scenarioJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(scenarioSchema, { io: 'input', target: 'draft-2020-12' })
  return { $schema, $comment: 'generated, do not edit', title: 'weir fleet scenario', ...rest }
}

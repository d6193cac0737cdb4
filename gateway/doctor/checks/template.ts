// Whether a synthesized template says what the rule files say.
import type { CheckTable } from '../check.ts'

export const templateChecks = {
  'template-rule-missing': {
    severity: 'error',
    means: 'a rule file that the template does not deploy',
    fix: 'synthesize again: npm run synth',
    *find({ rules, templateRules }) {
      if (templateRules.length === 0) return
      for (const { path, file } of rules) {
        if (!templateRules.some(({ name }) => name === file.name))
          yield { file: path, field: 'name', text: `the template has no rule ${file.name}` }
      }
    },
  },
  'template-sql-differs': {
    severity: 'error',
    means: 'a rule whose SQL in the template is not that of its file',
    fix: 'synthesize again: npm run synth',
    *find({ rules, templateRules }) {
      const spaced = (sql: string) => sql.replace(/\s+/g, ' ').trim()
      for (const { file, field, name, sql } of templateRules) {
        const rule = rules.find((candidate) => candidate.file.name === name)
        if (rule && typeof sql === 'string' && spaced(sql) !== spaced(rule.file.sql))
          yield {
            file,
            field: `${field}.Properties.TopicRulePayload.Sql`,
            text: `the rule ${name} has another statement than ${rule.path}`,
          }
      }
    },
  },
  'template-error-action-missing': {
    severity: 'warning',
    means: 'a rule of the template without an error action',
    fix: 'give its file an errorAction',
    *find({ templateRules }) {
      for (const { file, field, hasErrorAction } of templateRules)
        if (!hasErrorAction) yield { file, field, text: 'the rule has no ErrorAction' }
    },
  },
} as const satisfies CheckTable

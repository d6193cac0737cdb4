// docs/doctor.md, written from the checks themselves.
import type { CheckTable } from './check.ts'
import { checks, families } from './index.ts'

export function toDoctorPage(): string {
  const sections = Object.entries<CheckTable>(families).map(([title, table]) => {
    const entries = Object.entries(table).map(
      ([id, { severity, means, fix }]) => `### ${id}\n\n**${severity}** · ${sentence(means)}\n\nDo: ${sentence(fix)}`,
    )
    return [`## ${title}`, ...entries].join('\n\n')
  })
  return `<!-- generated from gateway/doctor, do not edit -->
# What the doctor looks for

\`weir doctor\` holds rules, policies, queues, configuration and a planned fleet against what AWS accepts, offline: ${checks.size} checks. What the gateway refuses
at its start is refused by the same schemas and the same SQL compiler; the rest is what AWS would refuse, or take and mean something else. An **error** is refused by
AWS or loses messages, a **warning** works and will hurt, a **note** is worth knowing. Errors end the command with exit code 1, so it can stand in front of a deployment.

What it cannot see: whether a role may do what its action needs, whether a certificate is attached to a thing at AWS, and quotas that were raised for your account.
Text that a template (\`\${…}\`) makes is only known when a message comes.

${sections.join('\n\n')}
`
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replaceAll('<', '&lt;')

/**
 * `.dockerignore` as the builder reads it: the last pattern that matches a path, or a folder above it, decides.
 */
export type Ignore = { ignores(path: string): boolean; readonly exceptions: readonly string[] };

export function parseIgnore(text: string): Ignore {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ excepts: line.startsWith('!'), regex: toRegex(line.replace(/^!/, '')), line }));
  return {
    exceptions: patterns.filter(({ excepts }) => excepts).map(({ line }) => line.slice(1)),
    ignores(path) {
      const parts = path.split('/');
      const withFolders = parts.map((_, at) => parts.slice(0, at + 1).join('/'));
      const deciding = patterns.findLast(({ regex }) => withFolders.some((each) => regex.test(each)));
      return deciding !== undefined && !deciding.excepts;
    },
  };
}

function toRegex(pattern: string): RegExp {
  const source = pattern.replaceAll(/\*\*\/?|\*|\?|[^*?]+/g, (part) => {
    if (part.startsWith('**')) return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : part.replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`);
  });
  return new RegExp(`^${source}$`);
}

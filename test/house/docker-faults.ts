/** Everything that is wrong with the container files, each fault under the name of the file that it was found in. */
import { commandFaults } from './docker-commands.ts';
import { composeFaults } from './docker-compose-faults.ts';
import { COMPOSE_FILES, DOCKERFILE, type Files } from './docker-files.ts';
import { houseFaults } from './docker-house-faults.ts';
import { describeImage, imageFaults } from './docker-image-faults.ts';

export async function faultsOf(files: Files): Promise<string[]> {
  const image = describeImage(files);
  const commands = await Promise.all([DOCKERFILE, ...COMPOSE_FILES].map((path) => commandFaults(path, files)));
  const composed = COMPOSE_FILES.flatMap((path) => [
    ...composeFaults(path, files, image),
    ...houseFaults(path, files, image),
  ]);
  return [...imageFaults(files), ...composed, ...commands.flat()];
}

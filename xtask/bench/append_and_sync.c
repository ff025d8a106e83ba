/* Appends 300 bytes to a file and syncs it: the least that any program can do to make an event durable. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char event[300];
    int file;

    if (argc != 2)
        return 2;
    memset(event, 'e', sizeof event);
    event[sizeof event - 1] = '\n';
    file = open(argv[1], O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0)
        return 1;
    if (write(file, event, sizeof event) != (ssize_t)sizeof event)
        return 1;
    if (fdatasync(file) != 0)
        return 1;
    return close(file) == 0 ? 0 : 1;
}
